// One form control for each input of the model, from its schema. A field's `read()` gives the value as JSON text (so that
// integers beyond 2^53 stay what was typed), or undefined where the field is left out; it throws FieldError.
"use strict";

class FieldError extends Error {}

function resolve(schema, components) {
  let resolved = { ...schema };
  for (const part of schema.allOf ?? []) resolved = { ...resolve(part, components), ...resolved };
  if (schema.$ref) resolved = { ...resolve(components[schema.$ref.split("/").pop()] ?? {}, components), ...resolved };
  return resolved;
}

function isNullable(schema) {
  return Boolean(schema.nullable) || (schema.anyOf ?? []).some((variant) => variant.nullable);
}

function kindOf(schema, components) {
  if (schema.enum) return "one of " + schema.enum.map((choice) => JSON.stringify(choice)).join(", ");
  if (schema.anyOf) return schema.anyOf.map((variant) => kindOf(resolve(variant, components), components)).join(" or ");
  if (schema.type === "array") return `list of ${kindOf(resolve(schema.items ?? {}, components), components)}`;
  if (schema.format === "uri") return "file";
  if (schema.format === "password") return "secret";
  return schema.type ?? "any value";
}

function limitsOf(schema) {
  const { minimum: low, maximum: high, minLength: short, maxLength: long, pattern } = schema;
  const said = [];
  if (low !== undefined && high !== undefined) said.push(`${low} to ${high}`);
  else if (low !== undefined) said.push(`at least ${low}`);
  else if (high !== undefined) said.push(`at most ${high}`);
  if (short !== undefined && long !== undefined) said.push(`${short} to ${long} characters`);
  else if (short !== undefined) said.push(`at least ${short} characters`);
  else if (long !== undefined) said.push(`at most ${long} characters`);
  if (pattern !== undefined) said.push(`matches ${pattern}`);
  return said;
}

// A field with its label, description and the place where it is told what is wrong.
function labelled(name, raw, required, components) {
  const schema = resolve(raw, components);
  const id = newIdentity("input");
  const control = controlFor(schema, id, required, components);
  const facts = [kindOf(schema, components), ...limitsOf(schema)];
  if (required) facts.push("required");
  if (isNullable(schema)) facts.push("may be null");
  if (schema.default !== undefined && schema.format !== "password") facts.push(`default ${JSON.stringify(schema.default)}`);
  const problem = make("p", { class: "error", id: `${id}-problem`, role: "alert", hidden: true });
  const hint = make("p", { class: "hint", id: `${id}-hint` }, raw.description ?? "");
  const title = [
    make("span", { class: schema.deprecated ? "deprecated" : null }, name), " ",
    make("span", { class: "kind" }, facts.join(" · ") + (schema.deprecated ? " · deprecated" : "")),
  ];
  const element = control.group
    ? make("fieldset", { id, "aria-describedby": `${id}-hint ${id}-problem` }, make("legend", {}, ...title))
    : make("div", { class: "field" }, make("label", { for: id }, ...title));
  element.append(hint, control.element, problem);
  const marked = control.group ? element : control.target;
  marked.setAttribute("aria-describedby", `${id}-hint ${id}-problem`);
  return {
    name,
    element,
    secret: schema.format === "password" || schema.items?.format === "password",
    read: control.read,
    complain(text) {
      problem.textContent = text;
      problem.hidden = !text;
      if (text) marked.setAttribute("aria-invalid", "true");
      else marked.removeAttribute("aria-invalid");
    },
    focus: () => (control.target ?? element.querySelector("input, textarea, select, button")).focus(),
  };
}

function controlFor(schema, id, required, components) {
  if (schema.enum) return choice(schema.enum, schema, id, required);
  if (schema.anyOf) return json(schema, id, required, schema.anyOf.some((variant) => variant.type === "string"));
  switch (schema.type) {
    case "boolean": return choice([true, false], schema, id, required);
    case "integer":
    case "number": return number(schema, id, required);
    case "array": return list(schema, id, required, components);
    case "string":
      if (schema.format === "uri") return file(schema, id, required);
      return schema.format === "password" ? secret(id, required) : text(schema, id, required);
    default: return json(schema, id, required, false);
  }
}

function leftOut(required) {
  if (required) throw new FieldError("Required");
  return undefined;
}

function choice(values, schema, id, required) {
  const select = make("select", { id });
  const optional = !required && schema.default === undefined;
  if (optional || schema.default === null) select.append(make("option", { value: "" }, "leave out"));
  for (const value of values) {
    const selected = value === schema.default;
    select.append(make("option", { value: JSON.stringify(value), selected }, String(value)));
  }
  return { element: select, target: select, read: () => (select.value === "" ? undefined : select.value) };
}

function number(schema, id, required) {
  const input = make("input", {
    id, type: "text", inputmode: schema.type === "integer" && !(schema.minimum < 0) ? "numeric" : "text",
    autocomplete: "off", spellcheck: "false", value: schema.default ?? "",
  });
  const whole = schema.type === "integer";
  const form = whole ? /^-?(0|[1-9]\d*)$/ : /^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$/;
  const read = () => {
    const typed = input.value.trim();
    if (typed === "") return leftOut(required);
    if (!form.test(typed)) throw new FieldError(whole ? "Not a whole number" : "Not a number");
    return typed;
  };
  return { element: input, target: input, read };
}

function text(schema, id, required) {
  const area = make("textarea", { id, rows: 1, spellcheck: "false" });
  area.value = schema.default ?? "";
  const optional = !required && (schema.default === undefined || schema.default === null);
  const read = () => (area.value === "" && optional ? undefined : JSON.stringify(area.value));
  return { element: area, target: area, read };
}

function secret(id, required) {
  const input = make("input", { id, type: "password", autocomplete: "off" });
  const read = () => (input.value === "" ? leftOut(required) : JSON.stringify(input.value));
  return { element: input, target: input, read };
}

function file(schema, id, required) {
  const picker = make("input", { id, type: "file", accept: schema["x-cog-accept"] });
  const address = make("input", {
    type: "url", placeholder: "or the address of one: https://…", "aria-label": "The address of a file", autocomplete: "off",
    value: schema.default ?? "",
  });
  let chosen = null, content = "";
  const read = async () => {
    if (picker.files.length) {
      if (picker.files[0] !== chosen) [chosen, content] = [picker.files[0], await dataUrl(picker.files[0])];
      return JSON.stringify(content);
    }
    return address.value === "" ? leftOut(required) : JSON.stringify(address.value);
  };
  return { element: make("div", {}, picker, address), target: picker, read };
}

function dataUrl(chosen) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = () => failed(new FieldError(`${chosen.name} cannot be read`));
    reader.readAsDataURL(chosen);
  });
}

function json(schema, id, required, orText) {
  const area = make("textarea", { id, rows: 2, spellcheck: "false" });
  const shown = schema.default ?? undefined;
  area.value = shown === undefined ? "" : orText && typeof shown === "string" ? shown : pretty(shown);
  const read = () => {
    const typed = area.value.trim();
    if (typed === "") return leftOut(required);
    try {
      JSON.parse(typed);
      return typed;
    } catch (error) {
      if (orText) return JSON.stringify(area.value);
      throw new FieldError(`Not JSON: ${error.message}`);
    }
  };
  return { element: area, target: area, read };
}

function list(schema, id, required, components) {
  const items = resolve(schema.items ?? {}, components);
  const rows = make("div", {});
  const entries = new Set();
  const add = (value) => {
    const itemId = newIdentity("item");
    const control = controlFor(value === undefined ? items : { ...items, default: value }, itemId, true, components);
    const entry = { read: control.read };
    const remove = () => {
      entries.delete(entry);
      row.remove();
    };
    (control.target ?? control.element).setAttribute("aria-label", "Item");
    const row = make("div", { class: "row" }, make("div", { class: "grow" }, control.element),
      make("button", { type: "button", click: remove, "aria-label": "Remove this item" }, "Remove"));
    entries.add(entry);
    rows.append(row);
    return control;
  };
  for (const value of schema.default ?? []) add(value);
  const more = make("button", { type: "button", click: () => add().target?.focus() }, "Add an item");
  const read = async () => {
    const values = [];
    for (const entry of entries) values.push(await entry.read());
    if (!values.length && !required && !Array.isArray(schema.default)) return undefined;
    return `[${values.join(",")}]`;
  };
  return { element: make("div", {}, rows, more), group: true, read };
}
