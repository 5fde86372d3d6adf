"""Templates that attack: each a source, and the kinds of refusal that are right for it."""

# ruff: noqa: E501  # each template stays on one line
from __future__ import annotations

import base64
import io
import zlib

from PIL import Image


def svg(content: str) -> str:
    """A picture as a data: URI."""
    data = base64.b64encode(content.encode()).decode()
    return f'<img alt="" src="data:image/svg+xml;base64,{data}">'


def png(content: bytes) -> str:
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def small_file_of_many_pixels() -> bytes:
    """40,000 x 40,000 pixels of one colour, made by hand: its size is what the header says."""
    picture = io.BytesIO()
    Image.new("1", (8, 8)).save(picture, "PNG")
    content = bytearray(picture.getvalue())
    content[16:24] = (40_000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(bytes(content[12:29])).to_bytes(4, "big")
    return bytes(content)


#: Ways to Python's objects: attributes, formats, Jinja's own objects.
WALKS = {
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "item": "{{ ''['__class__']['__mro__'] }}",
    "concatenated": "{{ ''['__cl' ~ 'ass__'] }}",
    "hex": r"{{ ''['\x5f\x5fclass\x5f\x5f'] }}",
    "attr": "{{ '' | attr('__class__') }}",
    "attr joined": "{{ '' | attr(['_'*2, 'class', '_'*2] | join) }}",
    "map attribute": "{{ [''] | map(attribute='__class__') | list }}",
    "sort attribute": "{{ [document, document] | sort(attribute='__class__') }}",
    "groupby": "{{ [document] | groupby('__init__') | list }}",
    "sum": "{{ [document] | sum(attribute='__class__.__mro__') }}",
    "dict of data": "{{ document.__class__.__base__ }}",
    "method of data": "{{ document.items() }}",
    "method of a text": "{{ document.title.upper() }}",
    "format": "{{ '{0.__class__}'.format(document) }}",
    "format_map": "{{ '{x.__class__}'.format_map({'x': document}) }}",
    "format by item": "{{ ''['format'](1) }}",
    "format filter": "{{ '%s' | format(document) }}",
    "map format": "{{ ['{0.__class__}'] | map('format', document) | list }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "joiner": "{{ joiner.__init__.__globals__ }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "namespace": "{{ namespace.__init__.__globals__ }}",
    "dict": "{{ dict(a=1).__class__ }}",
    "t": "{{ t.__globals__ }}",
    "t by placeholder": "{{ t('{x.__class__}', x=document) ~ t.__class__ }}",
    "range": "{{ range.__self__ }}",
    "self": "{{ self.__init__.__globals__ }}",
    "self private": "{{ self._TemplateReference__context }}",
    "loop": "{% for x in [1] %}{{ loop.__class__.__init__ }}{% endfor %}",
    "loop private": "{% for x in [1] %}{{ loop._recurse }}{{ loop._iterable }}{% endfor %}",
    "macro": "{% macro m() %}{% endmacro %}{{ m.__init__.__globals__ }}",
    "macro private": "{% macro m() %}{% endmacro %}{{ m._environment }}",
    "module": "{% import 'partials/macros.html.j2' as p %}{{ p.__loader__ }}{{ p._body_stream }}",
    "request": "{{ request.application.__globals__ }}",
    "config": "{{ config.items() }}",
    "url_for": "{{ url_for.__globals__ }}",
    "get_flashed_messages": "{{ get_flashed_messages.__globals__ }}",
    "undefined": "{{ nothing.__class__ }}",
    "super": "{% block a %}{{ super.__func__ }}{% endblock %}",
    "caller": "{% macro m() %}{{ caller.__init__ }}{% endmacro %}{% call m() %}{% endcall %}",
    "mutation": "{{ document.update({'title': 'x'}) }}",
    "pop": "{{ document.sections.pop() }}",
    "safe filter": "{{ '<script>alert(1)</script>' | safe }}",
    "autoescape": "{% autoescape false %}{{ '<script>' }}{% endautoescape %}",
    "include a file": "{% include '/etc/passwd' %}",
    "include above": "{% include '../pyproject.toml' %}",
    "import a file": "{% import '../../.env' as x %}",
    "debug": "{% debug %}",
    "do": "{% do document.clear() %}",
}
WALK_KINDS = {"forbidden", "undefined", "syntax", "fault"}

#: {url} is an address of the counting server, {file} of the file that nobody may read.
FETCHES = {
    "img file": '<img alt="" src="file://{file}">',
    "img http": '<img alt="" src="{url}/a.png">',
    "img without scheme": '<img alt="" src="//{host}/a.png">',
    "img made of parts": '<img alt="" src="{{{{ "ht" ~ "tp://{host}/a" }}}}">',
    "img tag made of parts": "<i{{% if true %}}mg src='{url}/a'{{% endif %}}>",
    "srcset": '<img alt="" srcset="{url}/a.png 2x">',
    "link": '<link rel="stylesheet" href="{url}/a.css">',
    "link attachment": '<link rel="attachment" href="file://{file}">',
    "a attachment": '<a rel="attachment" href="file://{file}">x</a>',
    "a asset": '<a rel="attachment" href="asset:///executive/report.yml">x</a>',
    "import": "<style>@import '{url}/a.css';</style>",
    "import url": "<style>@import url({url}/a.css);</style>",
    "import escaped": r"<style>@\69mport '{url}/a.css';</style>",
    "font": "<style>@font-face {{ font-family: x; src: url({url}/x.woff) }} p {{ font-family: x }}</style><p>x",
    "font local": "<style>@font-face {{ font-family: x; src: local('DejaVu Sans') }} p {{ font-family: x }}</style><p>",
    "font data": "<style>@font-face {{ font-family: x; src: url(data:font/woff;base64,d09GRg) }}</style><p>x",
    "css url": "<p style=\"background: url('{url}/x.png')\">x",
    "css url file": "<style>p {{ background: url(file://{file}) }}</style><p>x",
    "css url escaped": r"<style>p {{ background: u\72l({url}/x.png) }}</style><p>x",
    "css url entity": '<p style="background: u&#114;l({url}/x.png)">x',
    "css content": "<style>p::before {{ content: url({url}/x.png) }}</style><p>x",
    "css cursor": "<style>li {{ list-style-image: url({url}/x.png) }}</style><ul><li>x</ul>",
    "svg image": '<svg><image href="file://{file}" width="9" height="9"/></svg>',
    "svg image xlink": '<svg><image xlink:href="{url}/x.png"/></svg>',
    "svg use": '<svg><use href="{url}/x.svg#a"/></svg>',
    "svg fill": '<svg><rect width="9" height="9" fill="url({url}/x.svg#a)"/></svg>',
    "object": '<object data="{url}/x.svg"></object>',
    "object file": '<object type="image/png" data="file://{file}"></object>',
    "embed": '<embed src="{url}/x.svg">',
    "iframe": '<iframe src="file://{file}"></iframe>',
    "base": '<base href="{url}/"><img alt="" src="data:,x">',
    "relative": '<img alt="" src="x.png">',
    "asset": '<img alt="" src="asset:///../pyproject.toml">',
    "refresh": '<meta http-equiv="refresh" content="0;url={url}">',
    "script": "<script>fetch('{url}')</script>",
    "script by css": "{{% if css %}}<script>fetch('{url}')</script>{{% endif %}}",
    "handler": "<p onclick=\"fetch('{url}')\">x",
    "javascript": "<a href=\"javascript:fetch('{url}')\">x</a>",
    "data html": '<a href="data:text/html,<script>x</script>">x</a>',
    "data css": '<style>@import "data:text/css,p%7Bbackground:url({url}/x)%7D";</style><p>x',
    # Where browsers end a comment, a style sheet or a title, and other readers do not.
    **{
        f"refresh hidden in {name}": source.replace(
            "REFRESH", "<meta http-equiv='refresh' content='0;url={url}'>"
        )
        for name, source in {
            "an abrupt comment": "<!-->REFRESH-->",
            "a comment with a dash": "<!--->REFRESH-->",
            "a comment with a bang": "<!-- x --!>REFRESH-->",
            "a marked section": "<![CDATA[>REFRESH]]>",
            "a style sheet": "<style></style x>REFRESH<style></style>",
            "a title": '<title><p title="</title>REFRESH"></title>',
            "a text as it is": '<xmp><p title="</xmp>REFRESH"></xmp>',
            "an attribute that the styles end": '<p title="{{{{ css }}}}REFRESH">x</p>',
        }.items()
    },
    "form": '<form action="{url}"><input name="x"></form>',
}
NESTED = {
    "svg in data, http": '<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}/x.png" width="9" height="9"/></svg>',
    "svg in data, file": '<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{file}" width="9"/></svg>',
    "svg in data, css": '<svg xmlns="http://www.w3.org/2000/svg"><style>@import "{url}/x.css";</style></svg>',
    "svg in data, use": '<svg xmlns="http://www.w3.org/2000/svg"><use href="{url}/x.svg#a"/></svg>',
    "svg in data, entity": '<!DOCTYPE svg [<!ENTITY x SYSTEM "file://{file}">]><svg xmlns="http://www.w3.org/2000/svg">'
    "<text>&x;</text></svg>",
    "svg in data, stylesheet": '<?xml-stylesheet href="{url}/x.css"?><svg xmlns="http://www.w3.org/2000/svg"/>',
}
FETCH_KINDS = {"address", "forbidden"}

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
#: Time, memory, size.
BOMBS = {
    "long range": ("{% for x in range(10**9) %}{% endfor %}", {"forbidden"}),
    "nested loops": ("{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
                     "{% endfor %}{% endfor %}{% endfor %}", {"time"}),
    "recursive macro": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {"depth"}),
    "branching macro": ("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
                        "{{ m(60) }}", {"time"}),
    "recursive include": ("{% include 'template' %}", {"depth"}),
    "recursive extends": ("{% extends 'template' %}", {"depth", "fault"}),
    "recursive import": ("{% import 'template' as x %}{{ x }}", {"depth"}),
    "recursive loop": ("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", {"depth"}),
    "text times number": ("{{ 'x' * 10**10 }}", {"forbidden"}),
    "list times number": ("{{ [0] * 99999999 }}", {"forbidden"}),
    "great power": ("{{ 9 ** 9 ** 9 }}", {"forbidden"}),
    "center": ("{{ 'x' | center(99999999999) | length }}", {"memory"}),
    "indent": ("{{ 'x\n' | indent(99999999999, first=true) | length }}", {"memory", "fault"}),
    "doubling": ("{% set ns = ['x'] %}" + "{% set ns = ns + ns %}" * 40 + "{{ ns | length }}",
                 {"memory", "forbidden"}),
    "doubling texts": ("{% set s = 'x' ~ 'x' %}" + "{% set s = s ~ s %}" * 40 + "{{ s | length }}", {"memory"}),
    "batch": ("{{ [1] | batch(9999999999, 'x') | list | length }}", {"memory", "time"}),
    "much output": ("{% for a in range(9999) %}{{ 'x' | center(9999) }}{% endfor %}", {"output"}),
    "huge table": ("<table>{% for a in range(10) %}{% for b in range(10000) %}<tr><td>{{ a }}<td>{{ b }}"
                   "{% endfor %}{% endfor %}</table>", {"time"}),
    "wide table": ("<table><tr>{% for b in range(9999) %}<td colspan=999>{{ b }}{% endfor %}</table>",
                   {"time", "fault", "memory"}),
    "rowspans": ("<table>{% for b in range(3000) %}<tr>{% for c in range(9) %}<td rowspan=60000>{% endfor %}"
                 "{% endfor %}</table>", {"time", "fault", "memory"}),
    "deep nesting": ("{% for a in range(9999) %}<div>{% endfor %}x", {"depth", "memory", "fault", "time"}),
    "deep spans": ("{% for a in range(9999) %}<b><i>{% endfor %}x", {"depth", "memory", "fault", "time"}),
    "deep svg": ("<svg>{% for a in range(9999) %}<g>{% endfor %}</svg>", {"depth", "memory", "fault", "time"}),
    "million columns": ("<style>main { columns: 1000000 }</style><main>{% for a in range(9999) %}<p>x"
                        "{% endfor %}</main>", {"time", "memory", "fault"}),
    "tiny pages": ("<style>@page { size: 1px 1px; margin: 0 }</style>{% for a in range(9999) %}<p>xx xx"
                   "{% endfor %}", {"time", "memory", "fault", "output"}),
    "grid": ("<style>main { display: grid; grid-template-columns: repeat(1000000, 1px) }</style><main>"
             "{% for a in range(999) %}<p>x{% endfor %}</main>", {"time", "memory", "fault"}),
    "page breaks": ("{% for a in range(9999) %}<p style='break-after: page'>x</p>{% endfor %}", {"time"}),
    "long selectors": ("<style>{% for a in range(9999) %}:not(p):is(a, b, :nth-child(2n+1) ~ *) {% endfor %}x {}"
                       "{% for a in range(99) %}div * ~ * * > * * {% endfor %} i { top: 0 }</style>"
                       "{% for a in range(5000) %}<div><i>x</i></div>{% endfor %}",
                       {"time", "depth", "fault", "memory"}),
    "many rules": ("<style>{% for a in range(9999) %}:nth-child(2n+1) ~ p::before { content: counter(x{{ a }}) }"
                   "{% endfor %}</style>{% for a in range(3000) %}<p>x{% endfor %}", {"time"}),
    "counters": ("<style>p { counter-increment: a 99999 } p::before { content: counters(a, '.') }"
                 " </style>{% for a in range(9999) %}<div style='counter-reset: a'><p>{% endfor %}",
                 {"time", "depth", "memory", "fault"}),
    "variables": ("<style>:root { --a0: x x x x x x x x;{% for a in range(1, 40) %}--a{{ a }}: var(--a{{ a - 1 }})"
                  " var(--a{{ a - 1 }});{% endfor %} } p { font-family: var(--a39) }</style><p>x",
                  {"time", "memory", "depth", "fault"}),
    "nested calc": ("<style>p { width: {% for a in range(5000) %}calc(1px + {% endfor %}1px"
                    "{% for a in range(5000) %}){% endfor %} }</style><p>x", {"depth", "time", "memory", "fault"}),
    "svg paths": ("{% for a in range(999) %}<svg width='9' height='9'>{% for b in range(99) %}<path d='M0 0 "
                  "{% for c in range(9) %}A 9 9 0 0 1 {{ c }} 9{% endfor %}'/>{% endfor %}</svg>{% endfor %}",
                  {"time", "output", "memory"}),
    "svg reuse": ("<svg><defs><g id='a0'><rect width='1' height='1'/></g>{% for a in range(1, 40) %}"
                  "<g id='a{{ a }}'>"
                  "<use href='#a{{ a - 1 }}'/><use href='#a{{ a - 1 }}'/></g>{% endfor %}</defs>"
                  "<use href='#a39'/></svg>", {"time", "depth", "memory"}),
    "long word": ("<p style='hyphens: auto; font-size: 1px'>{% for a in range(900) %}{{ 'x' | center(9999, ) | replace"
                  "(' ', 'x') }}{% endfor %}", {"time", "output", "memory"}),
    "billion laughs": (svg(f"<!DOCTYPE svg [<!ENTITY l0 'ha'>{_LAUGHS}]><svg xmlns='http://www.w3.org/2000/svg'>"
                           "<text>&l11;</text></svg>"), {"forbidden"}),
    "picture of 1.6 thousand million pixels": (png(small_file_of_many_pixels()), {"memory", "forbidden"}),
    "picture of 50 MB": ("<img alt='' src=\"data:image/png;base64,{{ 'A' | center(9000000) | replace(' ', 'A') }}\">",
                         {"output"}),
    "no picture": ("<img alt='' src='data:image/png;base64,AAAA'>", {"forbidden"}),
}  # fmt: skip
