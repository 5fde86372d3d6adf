{#-
    Units of a currency for one euro as they count on a day: the last published rate on or before it, at most 7 days
    old; the euro is 1; NULL when there is none. `needs` is a relation with (currency, rated_on); the subquery
    returns (currency, rated_on, units_per_eur), one row for each of its rows.
-#}
{% macro rates_in_force(needs) -%}
(
    select
        needs.currency,
        needs.rated_on,
        case when needs.currency = 'EUR' then 1 else published.units_per_eur end as units_per_eur
    from {{ needs }} as needs
    left join lateral (
        select exchange_rates.units_per_eur
        from {{ ref('stg_revenue__exchange_rates') }} as exchange_rates
        where
            exchange_rates.currency = needs.currency
            and exchange_rates.rate_date between needs.rated_on - 7 and needs.rated_on
        order by exchange_rates.rate_date desc
        limit 1
    ) as published on true
)
{%- endmacro %}
