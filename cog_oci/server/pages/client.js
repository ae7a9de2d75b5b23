// How this page talks to the server it came from: paths are relative, so that it works below a prefix, too.
"use strict";

let bearer = "";

function setToken(token) {
  bearer = token;
}

function request(path, options = {}) {
  const headers = { ...options.headers };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  return fetch(path, { ...options, headers, cache: "no-store", credentials: "same-origin", redirect: "error" });
}

function newPredictionId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return "docs_" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The events of a server-sent stream (HTML, §9.2): [name, data] pairs, with the data as text.
async function* serverEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", name = "message", data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield [name, data.join("\n")];
        [name, data] = ["message", []];
        continue;
      }
      const [field, said] = line.split(/:(.*)/s);
      const content = (said ?? "").replace(/^ /, "");
      if (field === "event") name = content;
      if (field === "data") data.push(content);
    }
  }
}

function shellQuoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// The same request as a command; a body that is too long for one comes from a file.
function curlCommand(path, body, { stream, long }) {
  const parts = [`curl ${stream ? "-N " : ""}-X POST ${shellQuoted(new URL(path, document.baseURI).href)}`];
  if (bearer) parts.push(`-H "Authorization: Bearer $COG_AUTH_TOKEN"`);
  parts.push(`-H 'Content-Type: application/json'`);
  if (stream) parts.push(`-H 'Accept: text/event-stream'`);
  parts.push(long ? "-d @request.json" : `-d ${shellQuoted(body)}`);
  return parts.join(" \\\n  ");
}
