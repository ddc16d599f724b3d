// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/style.hpp"

namespace ikefrag {
namespace {

constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#ffffff;--ink:#1b2330;--dim:#5b6675;--rule:#d9dee6;
--bar:#3b6ea8;--good:#1f7a4d;--bad:#b3261e;--warn:#8a5a00;--note:#2f5f8f;--track:#e9edf2}
@media (prefers-color-scheme:dark){:root{--page:#12161c;--card:#1a2029;--ink:#e6eaf0;--dim:#9aa5b4;
--rule:#2e3744;--bar:#7aa9dd;--good:#62c193;--bad:#ff8a80;--warn:#e5b45a;--note:#8ab8e6;--track:#252d38}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,sans-serif}
main,header,footer{max-width:1120px;margin:0 auto;padding:0 20px}
header{padding-top:28px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:19px;margin:36px 0 12px}
h3{font-size:16px;line-height:1.4;margin:0 0 6px}
p{margin:6px 0}
.dim{color:var(--dim)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:20px 0}
.tile,.card{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:14px 16px}
.tile b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:12px}
.card{margin:0 0 16px;break-inside:avoid-page}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.note{color:var(--note)}
.tag{display:inline-block;border:1px solid currentColor;border-radius:4px;padding:0 6px;font-size:12px;margin-right:6px}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{color:var(--dim);font-weight:600}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto}
code,pre{font:13px/1.45 ui-monospace,"Cascadia Mono",Consolas,monospace}
pre{background:var(--track);border-radius:6px;padding:10px 12px;margin:8px 0;white-space:pre-wrap;overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:20px}
.finding{border-top:1px solid var(--rule);margin-top:14px;padding-top:12px}
svg{display:block;max-width:100%;height:auto}
svg text{fill:var(--ink);font:13px system-ui,"Segoe UI",Roboto,sans-serif}
svg .dim{fill:var(--dim)}
.bar{fill:var(--bar)}.track{fill:var(--track)}
.barline{fill:none;stroke:var(--rule)}
.rail{stroke:var(--dim);stroke-width:1.5}
.pass{stroke:var(--ink);fill:none;stroke-width:1.5}
.again{stroke:var(--warn);fill:none;stroke-width:1.5}
.lost{stroke:var(--bad);fill:none;stroke-width:2}
.said{stroke:var(--note);fill:none;stroke-width:1.5;stroke-dasharray:5 4}
.missing{stroke:var(--bad);fill:none;stroke-width:1.5;stroke-dasharray:2 5}
svg .losttext{fill:var(--bad)}svg .againtext{fill:var(--warn)}svg .saidtext{fill:var(--note)}
footer{color:var(--dim);font-size:13px;padding-top:20px;padding-bottom:40px}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--dim:#444;--rule:#bbb;--bar:#345;--good:#064;--bad:#900;
--warn:#640;--note:#036;--track:#eee}body{font-size:11pt}main,header,footer{max-width:none;padding-left:0;padding-right:0}
.card,.tile{border-color:#bbb}h2{break-after:avoid-page}}
)css";

} // namespace

std::string_view report_style() noexcept { return style; }

} // namespace ikefrag
