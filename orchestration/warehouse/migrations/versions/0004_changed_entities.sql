-- What a model's rows really changed in this build told of, by entity: what the models behind it have to follow when a
-- day is too coarse, such as the users of one day among all those active on it.
create table build.changed_entities (
    model text not null,
    tenant_id text not null,
    entity_id text not null,
    metric_date date,  -- NULL: the model has no day
    unique nulls not distinct (model, tenant_id, entity_id, metric_date)
);
grant select, insert, update, delete, truncate on build.changed_entities to metricpress_pipeline;
