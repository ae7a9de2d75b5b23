// One thing that can be asked of the model: the form, the running request and its answer.
"use strict";

const LONG_BODY = 4000;

class Operation {
  constructor(title, path, schema, { streams, output, description }, components) {
    this.path = path;
    this.fields = Object.entries(schema.properties ?? {})
      .sort(([, one], [, other]) => (one["x-order"] ?? 0) - (other["x-order"] ?? 0))
      .map(([name, part]) => labelled(name, part, (schema.required ?? []).includes(name), components));
    this.concatenates = output["x-cog-array-display"] === "concatenate";
    this.running = null;
    const heading = newIdentity("operation");
    this.stream = make("input", { type: "checkbox", id: newIdentity("stream"), checked: streams });
    this.run = make("button", { type: "submit" }, "Run");
    this.stop = make("button", { type: "button", disabled: true, click: () => this.cancel() }, "Cancel");
    this.status = make("span", { role: "status" });
    this.time = make("span", {});
    this.curl = make("pre", { tabindex: 0, "aria-label": "The same request with curl" });
    this.save = make("a", { download: "request.json", hidden: true }, "Save request.json");
    this.note = make("p", { class: "hint" });
    this.place = make("div", {});
    this.command = make("details", { toggle: () => this.showCurl() }, make("summary", {}, "The same with curl"),
      this.curl, this.save, this.note);
    const form = make("form", { submit: (event) => { event.preventDefault(); this.start(); }, input: () => this.showCurl() },
      ...this.fields.map((field) => field.element),
      this.fields.length ? null : make("p", { class: "hint" }, "The model takes no input."),
      make("div", { class: "row" }, this.run, this.stop,
        streams ? make("label", {}, this.stream, " stream the output") : null));
    form.noValidate = true;
    this.element = make("section", { "aria-labelledby": heading }, make("h2", { id: heading }, title),
      description ? make("p", {}, description) : null,
      make("div", { class: "columns" }, form, make("div", { "aria-label": "Answer", role: "group" },
        make("p", { class: "facts" }, this.status, " ", this.time), this.place, this.command)));
  }

  // The input as JSON text; `masked` leaves out what is secret. Fields say themselves what is wrong with them.
  async input({ masked }) {
    const parts = [];
    let wrong = null;
    for (const field of this.fields) {
      try {
        let value = await field.read();
        if (value === undefined) continue;
        if (masked && field.secret) value = '"**********"';
        parts.push(`${JSON.stringify(field.name)}:${value}`);
        if (!masked) field.complain("");
      } catch (error) {
        if (!(error instanceof FieldError)) throw error;
        if (!masked) field.complain(error.message);
        wrong ??= field;
      }
    }
    if (wrong && !masked) wrong.focus();
    return wrong && !masked ? null : `{${parts.join(",")}}`;
  }

  get streaming() {
    return this.stream.checked;
  }

  async showCurl() {
    if (!this.command.open) return;
    const body = `{"input":${await this.input({ masked: true })}}`;
    const long = body.length > LONG_BODY;
    this.curl.textContent = curlCommand(this.path, body, { stream: this.streaming, long });
    this.save.hidden = !long;
    if (this.save.href) URL.revokeObjectURL(this.save.href);
    if (long) this.save.href = URL.createObjectURL(new Blob([body], { type: "application/json" }));
    this.note.textContent = this.fields.some((field) => field.secret) ? "Secrets are left out of it." : "";
  }

  async start() {
    const input = await this.input({ masked: false });
    if (input === null || this.running) return;
    const answer = new Answer(this.concatenates);
    const id = newPredictionId();
    this.place.replaceChildren(answer.element);
    this.running = id;
    this.run.disabled = true;
    this.stop.disabled = false;
    const began = performance.now();
    const showTime = () => { this.time.textContent = `${((performance.now() - began) / 1000).toFixed(1)} s`; };
    const timer = setInterval(showTime, 200);
    this.say("processing");
    try {
      this.say(await this.exchange(answer, `{"id":${JSON.stringify(id)},"input":${input}}`));
    } catch (error) {
      answer.fail(`The request did not get through: ${error.message}`);
      this.say("failed");
    } finally {
      clearInterval(timer);
      showTime();
      this.running = null;
      this.run.disabled = false;
      this.stop.disabled = true;
      document.dispatchEvent(new Event("answered"));
    }
  }

  async exchange(answer, body) {
    const headers = { "Content-Type": "application/json", ...(this.streaming ? { Accept: "text/event-stream" } : {}) };
    const response = await request(this.path, { method: "POST", headers, body });
    const type = response.headers.get("Content-Type") ?? "";
    if (response.ok && type.startsWith("text/event-stream")) return this.follow(answer, response);
    const raw = await response.text();
    let said = null;
    try {
      said = JSON.parse(raw);
    } catch {
      answer.fail(raw || `The server answered ${response.status}`);
      return "failed";
    }
    if (!response.ok) {
      this.refused(answer, response.status, said);
      return "failed";
    }
    answer.finish(said, raw);
    return said.status;
  }

  async follow(answer, response) {
    for await (const [name, data] of serverEvents(response)) {
      const said = JSON.parse(data);
      if (name === "log") answer.addLog(said.data);
      if (name === "output") answer.addItem(said.chunk);
      if (name === "error") answer.fail(said.error);
      if (name === "completed") {
        answer.finish(said, data);
        return said.status;
      }
    }
    answer.fail("The stream broke off");
    return "failed";
  }

  refused(answer, status, said) {
    const details = Array.isArray(said.detail) ? said.detail : [];
    const elsewhere = [];
    for (const { loc = [], msg = "" } of details) {
      const field = this.fields.find(({ name }) => name === String(loc[2]).split("/")[0]);
      if (field) field.complain(msg);
      else elsewhere.push(`${loc.join(".")}: ${msg}`);
    }
    if (details.length) answer.fail([`${status}: the input cannot be used`, ...elsewhere].join("\n"));
    else answer.fail(`${status}: ${said.error ?? pretty(said)}`);
    if (status === 401) askForToken();
  }

  async cancel() {
    if (!this.running) return;
    const response = await request(`${this.path}/${this.running}/cancel`, { method: "POST" });
    if (!response.ok && this.running) this.say("processing; it cannot be cancelled any more");
  }

  say(status) {
    const look = { succeeded: "good", failed: "bad", canceled: "bad" }[status] ?? "wait";
    this.status.replaceChildren(make("span", { class: `badge ${look}` }, status));
  }
}
