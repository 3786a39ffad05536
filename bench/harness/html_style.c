/* The style sheet of the HTML report: light, dark (as the reader's system has it), printed, and narrow. It
 * has none of the characters that XML would want escaped. */
#include "harness/html_page.h"

void html_put_style(FILE *out)
{
    // clang-format off
    static const char *const lines[] = {
        "<style>",
        ":root { color-scheme: light dark; --page: #ffffff; --text: #1b1f24; --muted: #5d6873; --line: #d9dee3;",
        "  --panel: #f4f6f8; --bad: #b3261e; --warn: #8a5700; --warn-panel: #fff4d9;",
        "  --series-0: #8d97a1; --series-1: #dd8012; --series-2: #379a68; --series-3: #2c6cdb; --series-4: #8b55d3;",
        "  --series-5: #169aac; --series-6: #d2427c; --series-7: #97890f; --series-8: #9c5f38; }",
        "@media screen and (prefers-color-scheme: dark) {",
        "  :root { --page: #14171a; --text: #e4e8ec; --muted: #9aa5b0; --line: #343b42; --panel: #1d2125; --bad: #ff8a80;",
        "  --warn: #f2c14e; --warn-panel: #332a12;",
        "  --series-0: #7d8791; --series-1: #f0a14a; --series-2: #5cc08e; --series-3: #6ba1ff; --series-4: #b48cf2;",
        "  --series-5: #4fc3d2; --series-6: #f07fac; --series-7: #cbbd45; --series-8: #cc9169; } }",
        "* { box-sizing: border-box; }",
        "body { display: flex; flex-direction: column; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 78rem;",
        "  background: var(--page); color: var(--text); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto,",
        "  'Helvetica Neue', 'DejaVu Sans', sans-serif; overflow-wrap: anywhere; }",
        "h1 { font-size: 1.75rem; margin: 0; } h1 + p { margin: 0.1rem 0 1rem; color: var(--muted); }",
        "h2 { font-size: 1.3rem; margin: 2.5rem 0 0.75rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }",
        "h3 { font-size: 1.05rem; margin: 1.75rem 0 0.5rem; }",
        "p { max-width: 48rem; } small, .muted, figcaption { color: var(--muted); } small { font-size: 0.8em; }",
        ".bad { color: var(--bad); } .noise { color: var(--warn); font-weight: 600; white-space: nowrap; }",
        ".notice { order: -1; padding: 0.6rem 0.9rem; border-left: 4px solid var(--warn); background: var(--warn-panel);",
        "  max-width: none; } .notice.first { margin: 0 0 1.25rem; }",
        ".tiles { display: flex; flex-wrap: wrap; gap: 0.75rem; }",
        ".tiles div { flex: 0 1 18.2rem; padding: 0.6rem 0.9rem; border: 1px solid var(--line); border-top-width: 4px;",
        "  border-radius: 6px; background: var(--panel); } .tiles p { margin: 0; } .tiles + p { margin: 0.5rem 0 0; font-size: 0.875rem; }",
        ".tiles h2 { margin: 0 0 0.25rem; padding: 0; border: 0; font-size: 0.95rem; font-weight: 500; color: var(--muted); }",
        ".tiles strong { display: inline-block; min-width: 4.2rem; font-size: 1.3rem; line-height: 1.35; }",
        ".legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; margin: 0 0 0.25rem; padding: 0; list-style: none;",
        "  font-size: 0.85rem; }",
        ".swatch { display: inline-block; width: 0.75em; height: 0.75em; margin-right: 0.4em; border-radius: 2px; }",
        ".pair { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; margin-bottom: 1.5rem; }",
        ".pair .scroll { flex: 1 1 24rem; min-width: 0; } .pair.wide { flex-direction: column; align-items: stretch; }",
        "figure { flex: 0 1 30rem; max-width: 34rem; width: 100%; margin: 0; } .pair.wide > * { flex: none; }",
        "figcaption { font-size: 0.8rem; } .chart svg { display: block; width: 100%; height: auto; }",
        ".chart text { font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; }",
        ".chart g { color: var(--text); } .chart polygon, .chart path { shape-rendering: crispEdges; }",
        ".scroll { overflow-x: auto; max-width: 100%; }",
        "table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }",
        "caption { text-align: left; color: var(--muted); padding-bottom: 0.25rem; }",
        "th, td { padding: 0.3rem 0.75rem 0.3rem 0; text-align: right; vertical-align: top; border-bottom: 1px solid var(--line);",
        "  overflow-wrap: normal; }",
        "th { font-weight: 600; } th:first-child { text-align: left; } thead th { color: var(--muted); font-weight: 500; }",
        "tbody th { min-width: 7.5rem; max-width: 17rem; font-weight: 500; } th small { display: block; font-weight: 400; }",
        "td small { display: block; white-space: nowrap; } td { white-space: nowrap; } .means td small { display: inline; }",
        ".texts td, .texts th { text-align: left; white-space: normal; } .texts td { overflow-wrap: anywhere; min-width: 9rem; }",
        ".total th, .total td { font-weight: 700; border-top: 2px solid var(--line); }",
        "td .ratio { font-weight: 600; } td .time { color: var(--text); }",
        "dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.25rem; margin: 0 0 1rem; }",
        "dt { color: var(--muted); } dd { margin: 0; }",
        "details { border-bottom: 1px solid var(--line); padding: 0.35rem 0; } summary { cursor: pointer; }",
        "details[open] summary { margin-bottom: 0.5rem; } details table { margin: 0 0 1rem; }",
        "code { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: 0.9em; }",
        "@media (max-width: 40rem) { body { padding: 1rem 0.9rem 3rem; } .scroll tbody th:first-child,",
        "  .scroll thead th:first-child { position: sticky; left: 0; background: var(--page); }",
        "  .scroll tbody th { max-width: 9.5rem; } .tiles div { flex: 1 1 100%; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 0.4rem; } }",
        "@media print { body { max-width: none; padding: 0; font-size: 10pt; } table { font-size: 7.5pt; } th, td { padding-right: 0.4rem; }",
        "  .pair, tr, figure { break-inside: avoid; }",
        "  .pair.group { break-inside: auto; } h2, h3 { break-after: avoid; } .scroll { overflow: visible; }",
        "  .swatch, .chart { print-color-adjust: exact; -webkit-print-color-adjust: exact; } #counters { display: none; } }",
        "</style>",
    };
    // clang-format on
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        fputs(lines[i], out);
        fputc('\n', out);
    }
}
