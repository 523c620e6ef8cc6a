"use strict";
// Sends the examples of the page to the daemon that served it; shows what comes, streams as they come.
const key = document.getElementById("key");

async function send(form, body) {
  const out = form.querySelector("output");
  out.hidden = false;
  out.setAttribute("aria-busy", "true");
  out.textContent = "...";
  let path = form.dataset.path;
  for (const input of form.querySelectorAll("input")) {
    path = path.replace(`{${input.name}}`, input.value.split("/").map(encodeURIComponent).join("/"));
  }
  const headers = {};
  if (key.value) headers["X-API-Key"] = key.value;
  if (body) headers["Content-Type"] = "application/json";
  try {
    const response = await fetch(path, { method: form.dataset.method, headers, body: body && body.value });
    out.textContent = `${response.status} ${response.statusText}\n\n`;
    if (!response.body) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) out.textContent += part.value;
  } catch (error) {
    out.textContent += `\n${error}`;
  } finally {
    out.removeAttribute("aria-busy");
  }
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const button of form.querySelectorAll("button")) {
    const body = button.parentElement.querySelector("textarea");
    button.addEventListener("click", () => send(form, body));
  }
}

// On a narrow screen the contents would stand before everything else.
if (matchMedia("(max-width: 50rem)").matches) document.getElementById("contents").open = false;
