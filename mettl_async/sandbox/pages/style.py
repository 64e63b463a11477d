"""The one stylesheet, which stands in every page, and its hash for the security policy."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from mettl_async.sandbox.pages.html import Html

# Two sets of colours; each pair of text and ground that is used has a contrast of at least 4.5.
LIGHT: Final = """\
--ground:#f4f5f7;--card:#ffffff;--text:#1a1d21;--soft:#535b64;--line:#c9ced4;--accent:#0b5cad;\
--on-accent:#ffffff;--danger:#a4262c;--good:#1a6b34;--warn:#7a4d00"""
DARK: Final = """\
--ground:#14171a;--card:#1e2226;--text:#e8eaed;--soft:#aab2bb;--line:#474e56;--accent:#8ab8f0;\
--on-accent:#0d1b2a;--danger:#f2a5a5;--good:#8fd6a4;--warn:#e8bf78"""
STYLE: Final = Html(
    f":root{{color-scheme:light dark;{LIGHT}}}"
    f"@media(prefers-color-scheme:dark){{:root{{{DARK}}}}}"
    """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;overflow-wrap:anywhere}
a{color:var(--accent)}
a:focus-visible,button:focus-visible,input:focus-visible,select:focus-visible,summary:focus-visible,
[tabindex]:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem}
header,main,footer{max-width:62rem;margin:0 auto;padding:1rem}
.narrow header,.narrow main,.narrow footer{max-width:38rem}
header{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;align-items:center;padding-bottom:0}
header p{margin:0;font-weight:600}
nav{display:flex;flex-wrap:wrap;gap:.25rem 1rem}
nav a{padding:.5rem 0}nav a[aria-current]{color:var(--text);font-weight:600}
footer,.soft{color:var(--soft)}footer,small{font-size:.875rem}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1rem}
h2{font-size:1.2rem;line-height:1.3;margin:0 0 .75rem}
h3{font-size:1rem;margin:0}
p{margin:0 0 .75rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;
margin:0 0 1rem}
.card>:last-child{margin-bottom:0}
.columns{display:grid;gap:0 1rem;grid-template-columns:repeat(auto-fit,minmax(min(18rem,100%),1fr))}
.columns>*{min-width:0}.columns>.field{justify-content:flex-end}
.note{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--accent);
border-radius:.4rem;padding:.75rem 1rem;margin:0 0 1rem}
.note.bad{border-left-color:var(--danger)}
.rows{list-style:none;margin:0;padding:0}
.rows>li{display:flex;flex-wrap:wrap;gap:.5rem 1rem;justify-content:space-between;
padding:.75rem 0;border-top:1px solid var(--line)}
.rows>li:first-child{border-top:0;padding-top:0}
.rows>li>:first-child{flex:1 1 18rem;min-width:0}
.rows p{margin:0}
.wide{flex:1 1 100%;min-width:0}
dl{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.25rem 1rem;margin:0 0 .75rem}
dt{color:var(--soft)}dd{margin:0}
.big{font-size:2rem;line-height:1.2;font-variant-numeric:tabular-nums;margin:0}
form{margin:0}
.buttons{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center}
.buttons a{padding:.3rem .5rem .3rem 0}
.stack{display:flex;flex-direction:column;gap:.5rem}
.field{display:flex;flex-direction:column;gap:.25rem;margin:0 0 .75rem}
.line{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end}.line .field{margin:0;flex:1 1 8rem}
.check{display:flex;gap:.5rem;align-items:center;margin:0 0 .75rem}
.space{margin:0 0 1rem}.parts{gap:1rem}.time{font-weight:600}
h2.row{font-size:1.05rem;margin:0}
.side{flex:0 1 20rem;display:flex;flex-direction:column;gap:.5rem}.side>p{margin:0}
ul.plain{list-style:none;margin:0;padding:0;color:var(--soft)}
button,input,select{font:inherit;color:inherit;min-height:2.75rem;border-radius:.4rem;
border:1px solid var(--soft);background:var(--card);padding:.4rem .8rem;max-width:100%}
input[type=checkbox]{min-height:0;width:1.25rem;height:1.25rem;accent-color:var(--accent)}
input{width:100%}
button{cursor:pointer;border-color:var(--accent);color:var(--accent)}
button:hover{text-decoration:underline}
button.main{background:var(--accent);color:var(--on-accent);font-weight:600}
button.danger{border-color:var(--danger);color:var(--danger)}
.badge{display:inline-block;border:1px solid;border-radius:1rem;padding:0 .6rem;font-size:.875rem;
white-space:nowrap;color:var(--soft)}
.badge.good{color:var(--good)}.badge.bad{color:var(--danger)}.badge.warn{color:var(--warn)}
summary{cursor:pointer;color:var(--accent);padding:.4rem 0}
pre{white-space:pre-wrap;background:var(--ground);border:1px solid var(--line);border-radius:.4rem;
padding:.75rem;margin:0;font:.8125rem/1.45 ui-monospace,Consolas,"Liberation Mono",monospace}
code{font:.9em ui-monospace,Consolas,"Liberation Mono",monospace}
@media(max-width:30rem){.grow,.grow button{width:100%}}
"""
)
STYLE_HASH: Final = b64encode(sha256(STYLE.encode()).digest()).decode()
