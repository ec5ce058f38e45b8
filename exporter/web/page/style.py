"""The style sheet of the status page, and the Content-Security-Policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib

# Text has a contrast of 4.5 or more (WCAG AA) in the light and the dark scheme; a test computes it.
STYLE = """
:root{color-scheme:light dark;--ground:#f5f6f8;--card:#fff;--ink:#1b2230;--quiet:#566072;--line:#d9dde5;
--link:#0b57b0;--good:#146c2e;--bad:#b3261e;--warn:#8a4b00;--idle:#566072;
--wait:#b7791f;--prepare:#3b82c4;--train:#2f855a;--upload:#6b46c1;--interrupt:#c53030;--other:#718096}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1b212b;--ink:#e8ebf1;--quiet:#a4aebe;
--line:#343c4a;--link:#8ab8ff;--good:#6fd08c;--bad:#ff9a92;--warn:#f2b66b;--idle:#a4aebe;
--wait:#d69e2e;--prepare:#5a9fd8;--train:#48bb78;--upload:#9f7aea;--interrupt:#fc8181;--other:#a0aec0}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif;
overflow-wrap:break-word}
header,main,footer{max-width:1280px;margin:0 auto;padding:0 16px}
header{padding-top:16px}
h1{font-size:1.35rem;margin:0}
h2{font-size:1.1rem;margin:28px 0 8px}
a{color:var(--link)}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:8px}
nav a,.pages a{padding:6px 0}
.quiet,dt,caption,label,th{color:var(--quiet)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:8px;margin:16px 0 0}
dl div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px}
dt{font-size:.8rem}dd{margin:0;font-weight:600}
table{width:100%;border-collapse:collapse;background:var(--card);border:1px solid var(--line)}
caption{text-align:left;padding:0 0 8px}
th,td{text-align:left;vertical-align:top;padding:8px 12px;border-top:1px solid var(--line);
min-width:6.5em;overflow-wrap:anywhere}
th{font-size:.8rem;font-weight:600;white-space:nowrap}
tbody th{font-size:inherit;color:inherit;white-space:normal;min-width:10em}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.idle{color:var(--idle)}
.live{color:var(--link)}.good,.bad,.warn,.idle,.live{font-weight:600}
th .quiet,th code{font-weight:400}
td ul{margin:0;padding:0;list-style:none}li+li{margin-top:6px}.key li{margin:0}
bdi{overflow-wrap:anywhere}
code{font-size:.92em}
form{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:end;margin:0 0 12px}
label{display:grid;gap:2px;font-size:.8rem;flex:1 1 150px;min-width:0}
input,select,button{font:inherit;font-size:16px;color:var(--ink);background:var(--card);
border:1px solid var(--quiet);border-radius:6px;padding:7px 10px;min-height:40px;width:100%;min-width:0}
button{width:auto;cursor:pointer;font-weight:600}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.bar{display:block;width:100%;height:12px;border-radius:3px;margin:4px 0;background:var(--line)}
td.errors{min-width:17em}td.status{min-width:9.5em}
.phases{min-width:17em;font-size:.85rem}
.wait{fill:var(--wait)}.prepare{fill:var(--prepare)}.train{fill:var(--train)}.upload{fill:var(--upload)}
.interrupt{fill:var(--interrupt)}.other{fill:var(--other)}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:0 0 8px;padding:0;font-size:.85rem}
.key svg{width:12px;height:12px;margin-right:6px}
.pages{display:flex;flex-wrap:wrap;gap:4px 16px;margin:8px 0;align-items:baseline}
footer{padding-top:24px;padding-bottom:32px}
@media (max-width:1100px){
table,tbody,tr,td,tbody th,caption{display:block}
table{border:0;background:none}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:8px 12px;margin-bottom:12px}
td,tbody th{border:0;padding:3px 0;min-width:0}
td{display:grid;grid-template-columns:minmax(96px,32%) minmax(0,1fr);gap:8px}
td::before{content:attr(data-label);color:var(--quiet);font-size:.85rem}
td.phases{display:block}
td.errors,td.phases,td.status{min-width:0}
dl{grid-template-columns:repeat(2,minmax(0,1fr))}
}
"""

# Browsers apply an inline style only if the policy has its hash.
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
