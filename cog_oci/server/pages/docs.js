// The page: the model's health, a form for each thing that it can do, and every endpoint of the server.
"use strict";

const ENDPOINTS = [
  ["GET", "/", "Where everything is"],
  ["GET", "/health-check", "How the server, its worker and the model are; always 200"],
  ["GET", "/livez", "200 while a restart would not help, else 503"],
  ["GET", "/readyz", "200 while a request would be taken, else 503"],
  ["GET", "/metrics", "Figures for Prometheus"],
  ["GET", "/docs", "This page"],
  ["GET", "/openapi.json", "This API as an OpenAPI document"],
  ["POST", "/predictions", "Run a prediction"],
  ["PUT", "/predictions/{prediction_id}", "Run a prediction once, or hear how it is getting on"],
  ["GET", "/predictions/{prediction_id}", "A prediction that runs or has ended lately"],
  ["POST", "/predictions/{prediction_id}/cancel", "Cancel a prediction"],
  ["POST", "/trainings", "Run a training"],
  ["PUT", "/trainings/{training_id}", "Run a training once, or hear how it is getting on"],
  ["GET", "/trainings/{training_id}", "A training that runs or has ended lately"],
  ["POST", "/trainings/{training_id}/cancel", "Cancel a training"],
  ["POST", "/shutdown", "Finish what has been accepted, then end"],
];

const LOOKS = { READY: "good", BUSY: "wait", STARTING: "wait" };

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

function askForToken() {
  byId("token-form").hidden = false;
  byId("token").focus();
}

async function showHealth() {
  let report = { status: "UNREACHABLE" };
  try {
    report = await (await request("health-check")).json();
  } catch {
    // said by the status
  }
  const badge = byId("health");
  badge.textContent = report.status;
  badge.className = `badge ${LOOKS[report.status] ?? "bad"}`;
  const { cog_oci: ours, python } = report.version ?? {};
  byId("version").textContent = [ours && `cog-oci ${ours}`, python && `Python ${python}`].filter(Boolean).join(" · ");
  return report;
}

function inputOf(operation, components) {
  const body = resolve(operation?.requestBody?.content?.["application/json"]?.schema ?? {}, components);
  return body.properties?.input ? resolve(body.properties.input, components) : null;
}

function outputOf(operation, components) {
  const answer = operation?.responses?.["200"]?.content?.["application/json"]?.schema ?? {};
  return resolve(resolve(answer, components).properties?.output ?? {}, components);
}

function showOperations(described) {
  const components = described.components?.schemas ?? {};
  const place = byId("operations");
  place.replaceChildren();
  for (const [path, methods] of Object.entries(described.paths ?? {})) {
    const input = inputOf(methods.post, components);
    if (!input) continue;
    const facts = {
      streams: methods.post["x-cog-streaming"] === true, output: outputOf(methods.post, components),
      description: methods.post.description,
    };
    place.append(new Operation(methods.post.summary ?? path, path.replace(/^\//, ""), input, facts, components).element);
  }
}

function showEndpoints(described) {
  const known = new Map(ENDPOINTS.map(([method, path, text]) => [`${method} ${path}`, { method, path, text }]));
  for (const [path, methods] of Object.entries(described.paths ?? {})) {
    for (const [method, details] of Object.entries(methods)) {
      const name = method.toUpperCase();
      if (!["GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"].includes(name)) continue;
      const key = `${name} ${path}`;
      const text = known.get(key)?.text ?? details.description ?? details.summary ?? "";
      known.set(key, { method: name, path, text, details });
    }
  }
  const rows = [...known.values()].sort((one, other) => (one.path < other.path ? -1 : one.path > other.path ? 1 : 0));
  byId("endpoints").replaceChildren(...rows.map(({ method, path, text, details }) => {
    const title = [make("span", { class: "method" }, method), " ", make("code", {}, path), ` ${text}`];
    if (!details) return make("p", {}, ...title);
    return make("details", {}, make("summary", {}, ...title), make("pre", {}, pretty(details)));
  }));
}

async function load() {
  const health = await showHealth();
  const response = await request("openapi.json");
  if (response.status === 401) {
    askForToken();
    notice("");
    return;
  }
  byId("token-form").hidden = true;
  if (response.status === 503) {
    showEndpoints({});
    const failed = ["SETUP_FAILED", "DEFUNCT"].includes(health.status);
    const waiting = health.status === "READY" ? "This model came without a description." : "The model is being set up …";
    notice(failed ? `The model could not be set up.\n${health.setup?.logs ?? ""}` : waiting);
    if (!failed && health.status !== "READY") setTimeout(load, 1000);
    return;
  }
  notice("");
  const described = await response.json();
  const title = described.info?.title ?? "Model";
  byId("title").textContent = title;
  document.title = `${title} – API`;
  showOperations(described);
  showEndpoints(described);
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setToken(byId("token").value);
  load();
});
document.addEventListener("answered", showHealth);
showEndpoints({});
load().catch((error) => notice(`The server cannot be reached: ${error.message}`));
