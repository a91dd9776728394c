// Passkeys: what the page asks the browser for goes back with the form. Without this script the other ways stay open.
"use strict";

const asked = async (form) => {
  if (form.dataset.options) return JSON.parse(form.dataset.options);
  const answer = await fetch(form.dataset.ask, { headers: { "X-Requested-With": "XMLHttpRequest" } });
  if (!answer.ok) throw new Error(`answered ${answer.status}`);
  return (await answer.json()).request_options;
};

const ceremonies = {
  create: (told) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(told.publicKey) }),
  get: (told) => navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(told.publicKey) }),
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = form.querySelector("[data-wrong]");
    wrong.hidden = true;
    try {
      const made = await ceremonies[form.dataset.passkey](await asked(form));
      form.elements.credential.value = JSON.stringify(made.toJSON());
    } catch {
      wrong.hidden = false;
      return;
    }
    form.submit();
  });
}
