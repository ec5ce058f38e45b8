"""The style sheet of the pages, and the Content-Security-Policy that allows nothing else."""

from __future__ import annotations

import base64
import hashlib

# Text has a contrast of 4.5 or more (WCAG AA) in the light and the dark scheme; a test computes it. Below 1000 px the
# rows of tables are cards. Only a word that is longer than its line is broken.
STYLE = """
:root{color-scheme:light dark;--ground:#f5f6f8;--card:#fff;--ink:#1b2230;--quiet:#566072;--line:#d9dde5;
--link:#0b57b0;--good:#146c2e;--bad:#b3261e;--warn:#8a4b00;--idle:#566072;
--wait:#b7791f;--prepare:#3b82c4;--train:#2f855a;--upload:#6b46c1;--interrupt:#c53030;--other:#718096}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1b212b;--ink:#e8ebf1;--quiet:#a4aebe;
--line:#343c4a;--link:#8ab8ff;--good:#6fd08c;--bad:#ff9a92;--warn:#f2b66b;--idle:#a4aebe;
--wait:#d69e2e;--prepare:#5a9fd8;--train:#48bb78;--upload:#9f7aea;--interrupt:#fc8181;--other:#a0aec0}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:14px/1.4 system-ui,sans-serif;overflow-wrap:break-word}
header,main{max-width:1400px;margin:0 auto;padding:0 16px}
main{padding-bottom:32px}
header{display:flex;flex-wrap:wrap;gap:2px 16px;align-items:baseline;padding-top:12px;padding-bottom:4px}
h1{font-size:1.25rem;margin:0;min-width:0}
h2{font-size:1.05rem;margin:20px 0 6px}
p{margin:6px 0}
a{color:var(--link)}
nav,.links,.filters{display:flex;flex-wrap:wrap;gap:0 14px}
header nav{margin-left:auto}
nav a,.filters a{padding:4px 0}
.quiet,dt,label,th,small{color:var(--quiet)}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.idle{color:var(--idle)}.live{color:var(--link)}
.good,.bad,.warn,.idle,.live{font-weight:600}
.detail::before{content:" · ";color:var(--quiet)}
dl,dd{margin:0}
dt,label,small,.quiet{font-size:.82rem}
.strip{display:grid;grid-template-columns:repeat(4,minmax(0,1fr));gap:8px;margin-top:8px}
.strip div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:6px 10px}
.strip dd{font-weight:600;font-size:1rem}
.strip a{color:inherit}
small{display:block;font-weight:400;line-height:1.3}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,260px),1fr));gap:8px 24px}
.groups{columns:3 360px;column-gap:24px}
section{break-inside:avoid;padding-top:1px}
.pairs div{display:grid;grid-template-columns:minmax(110px,34%) minmax(0,1fr);gap:8px;padding:3px 0;
border-top:1px solid var(--line)}
table{width:100%;border-collapse:collapse;table-layout:fixed;background:var(--card);border:1px solid var(--line)}
th,td{text-align:left;vertical-align:top;padding:7px 10px;border-top:1px solid var(--line)}
th{font-size:.82rem;font-weight:600}
tbody th{font-size:inherit;color:inherit}
tbody th .quiet,th code{font-weight:400}
td ul{margin:0;padding:0;list-style:none}li+li{margin-top:6px}
code{font-size:.92em}
form{display:grid;grid-template-columns:repeat(auto-fill,minmax(108px,1fr));gap:6px 10px;align-items:end}
form div{display:flex;gap:12px;align-items:center}
label{display:grid;gap:1px;min-width:0}
input,select,button{font:inherit;font-size:16px;color:var(--ink);background:var(--card);
border:1px solid var(--quiet);border-radius:6px;padding:4px 8px;min-height:34px;width:100%;min-width:0}
button{width:auto;flex:none;cursor:pointer;font-weight:600;padding:4px 12px}
#fold,.fold{display:none}
.filters a{text-decoration:none;border:1px solid var(--line);border-radius:12px;padding:2px 10px;
background:var(--card);min-width:0}
.filters{gap:6px}
:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.bar{display:block;width:100%;height:12px;border-radius:3px;margin:3px 0;background:var(--line)}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
td{position:relative}
.wait{fill:var(--wait)}.prepare{fill:var(--prepare)}.train{fill:var(--train)}.upload{fill:var(--upload)}
.interrupt{fill:var(--interrupt)}.other{fill:var(--other)}
.key{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:8px 0;padding:0;font-size:.82rem}
.key li{margin:0}.key svg{width:12px;height:12px;margin-right:6px}
.pages{margin:6px 0;align-items:baseline}
@media (min-width:1000px){
input,select,button{font-size:14px;min-height:30px}
button{padding:4px 10px}
.jobs th:nth-child(1){width:25%}.jobs th:nth-child(2){width:23%}.jobs th:nth-child(3){width:15%}
.jobs th:nth-child(4){width:16%}.jobs th:nth-child(5){width:12%}.jobs th:nth-child(6){width:9%}
.targets th:nth-child(1){width:14%}.targets th:nth-child(2){width:13%}.targets th:nth-child(3){width:16%}
.targets th:nth-child(4){width:14%}.targets th:nth-child(5){width:16%}.targets th:nth-child(6){width:27%}
.steps th:nth-child(1){width:24%}.steps th:nth-child(2){width:14%}.steps th:nth-child(3){width:13%}
}
@media (min-width:1300px){.strip{grid-template-columns:repeat(8,minmax(0,1fr))}}
@media (max-width:999px){
table,tbody,tr,td,tbody th{display:block}
table{border:0;background:none}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
tr{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:6px 10px;margin-bottom:8px}
td,tbody th{border:0;padding:1px 0}
td{display:grid;grid-template-columns:66px minmax(0,1fr);gap:8px}
td.long{display:block}
td::before{content:attr(data-label);color:var(--quiet);font-size:.82rem}
}
@media (max-width:699px){
.strip{grid-template-columns:repeat(2,minmax(0,1fr));gap:6px}
.strip div{padding:3px 6px}
.strip small,.strip dt{font-size:.75rem}
header nav{margin-left:0}
.strip small{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden}
#fold{display:inline-block;width:18px;min-height:18px;height:18px;vertical-align:middle;margin:0 6px 0 0}
.fold{display:inline;font-size:.9rem}
#fold:not(:checked)~form{display:none}
form{grid-template-columns:repeat(2,minmax(0,1fr))}
}
"""

# Browsers apply an inline style only if the policy has its hash.
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
