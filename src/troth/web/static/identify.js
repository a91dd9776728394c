// After signing in the browser says which device it is, once, where the policy collects that. Without it the service knows
// no more than what every request says of itself.
"use strict";

const told = document.querySelector("script[data-identify]").dataset;
const { Device } = await import(told.client);
const identifier = new Device({ key: told.key, days: Number(told.days) }).identifier();
if (identifier) {
  const body = new URLSearchParams({ identifier, csrfmiddlewaretoken: document.forms[0].elements.csrfmiddlewaretoken.value });
  await fetch(told.identify, { method: "POST", body, redirect: "error" }).catch(() => {});
}
