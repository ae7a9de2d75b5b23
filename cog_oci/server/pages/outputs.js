// What a model gives back, as people want to see it: pictures, sound, film, text, and JSON for the rest.
"use strict";

const MEDIA = { image: "img", audio: "audio", video: "video" };

function showValue(value) {
  if (typeof value === "string") return showString(value);
  if (Array.isArray(value) && value.some(hasFile)) return make("div", {}, ...value.map(showValue));
  if (value !== null && typeof value === "object" && Object.values(value).some(hasFile)) {
    const parts = Object.entries(value).map(([name, part]) => make("div", {}, make("h4", {}, name), showValue(part)));
    return make("div", {}, ...parts);
  }
  return make("pre", {}, pretty(value));
}

function hasFile(value) {
  if (typeof value === "string") return isFile(value);
  return value !== null && typeof value === "object" && Object.values(value).some(hasFile);
}

function isFile(text) {
  return /^data:[\w.+-]+\/[\w.+-]+[;,]/.test(text) || /^https?:\/\/\S+$/.test(text);
}

function showString(text) {
  if (!isFile(text)) return make("pre", {}, text);
  if (!text.startsWith("data:")) {
    return make("p", {}, make("a", { href: text, rel: "noopener noreferrer", target: "_blank" }, text));
  }
  const type = text.slice(5).split(/[;,]/)[0];
  const tag = MEDIA[type.split("/")[0]];
  const name = `output.${type.split("/")[1].split("+")[0]}`;
  const save = make("a", { href: text, download: name }, `Save ${type}`);
  if (!tag) return make("p", {}, save);
  const attributes = tag === "img" ? { alt: "What the model has made" } : { controls: true };
  return make("div", {}, make(tag, { src: text, ...attributes }), make("p", {}, save));
}

// The place of one answer: logs, output and the rest, as they come and when they are there.
class Answer {
  constructor(concatenates) {
    this.concatenates = concatenates;
    this.items = [];
    this.text = null;
    this.output = make("div", {});
    this.logs = make("pre", {});
    this.metrics = make("div", {});
    this.raw = make("pre", {});
    this.problem = make("p", { class: "error", role: "alert", hidden: true });
    this.parts = {
      output: this.part("Output", this.output), logs: this.part("Logs", this.logs),
      metrics: this.part("Metrics", this.metrics),
    };
    this.rawPart = make("details", { hidden: true }, make("summary", {}, "The whole answer"), this.raw);
    this.element = make("div", {}, this.problem, ...Object.values(this.parts), this.rawPart);
  }

  part(title, content) {
    return make("section", { hidden: true }, make("h3", {}, title), content);
  }

  fail(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  addLog(text) {
    this.parts.logs.hidden = false;
    this.logs.append(text);
  }

  addItem(value) {
    this.parts.output.hidden = false;
    this.items.push(value);
    if (!this.concatenates) {
      this.output.append(showValue(value));
      return;
    }
    if (this.text === null) {
      this.text = document.createTextNode("");
      this.output.replaceChildren(make("pre", {}, this.text));
    }
    this.text.appendData(String(value));
  }

  finish(body, raw) {
    this.fail(body.error ?? "");
    this.raw.textContent = raw;
    this.rawPart.hidden = false;
    if (body.output !== undefined && body.output !== null) {
      const joined = this.concatenates && Array.isArray(body.output) ? body.output.join("") : body.output;
      this.output.replaceChildren(showValue(joined));
      this.parts.output.hidden = false;
    } else if (body.status === "succeeded") {
      this.output.replaceChildren(make("p", { class: "hint" }, "null"));
      this.parts.output.hidden = false;
    }
    if (body.logs) {
      this.logs.textContent = body.logs;
      this.parts.logs.hidden = false;
    }
    const metrics = Object.entries(body.metrics ?? {});
    this.parts.metrics.hidden = metrics.length === 0;
    const rows = metrics.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, JSON.stringify(value))));
    this.metrics.replaceChildren(make("table", {}, make("tbody", {}, ...rows)));
  }
}
