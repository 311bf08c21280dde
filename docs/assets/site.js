/* What scrolls sideways can be scrolled by keyboard. */
addEventListener("load", () => setTimeout(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .highlight pre > code"))
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
}, 0));
