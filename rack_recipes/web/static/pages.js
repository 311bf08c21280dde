"use strict";
// On every page: load it again now and then, as the reader has chosen, and sign in by the address of the start line.
(() => {
  const select = document.getElementById("refresh");
  const key = "rack-recipes-refresh";
  let timer = 0;
  const start = () => {
    clearTimeout(timer);
    const seconds = Number(select.value);
    if (seconds) timer = setTimeout(() => (document.hidden ? start() : location.reload()), seconds * 1000);
  };
  if (select && !document.getElementById("live")) {
    select.closest("label").hidden = false;
    const kept = localStorage.getItem(key);
    if ([...select.options].some((one) => one.value === kept)) select.value = kept;
    select.addEventListener("change", () => { localStorage.setItem(key, select.value); start(); });
    start();
  }
  const form = document.getElementById("sign-in");
  if (form && location.hash.length > 1) {
    form.elements.token.value = decodeURIComponent(location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
    if ("own" in form.dataset) form.submit();
    else document.getElementById("led-here").hidden = false;
  }
})();
