// Runs the workflows of a project for one event, on GitHub's own parser and expression evaluator.
//
// node workflow.mjs < event.json > runs.json. The event: {project, scratch, event, ref, changed,
// inputs, vars, secrets, environments: {name: {vars, secrets}}}. `run` steps really run, each job in
// a fresh checkout; actions are the stand-ins below, and any other action is an error. What GitHub
// has and this has not (matrix, containers, services, other shells) is an error too, never ignored.
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { register } from "node:module";
import { parse } from "yaml";

// The parser imports its schema as JSON without saying so, which Node refuses.
register(
  "data:text/javascript," +
    encodeURIComponent(`import fs from "node:fs";
export async function load(url, context, next) {
  if (!url.endsWith(".json")) return next(url, context);
  return { format: "module", shortCircuit: true, source: "export default " + fs.readFileSync(new URL(url), "utf8") };
}`),
);
const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await import("@actions/workflow-parser");
const { data, Evaluator, Lexer, Parser } = await import("@actions/expressions");

const KNOWN = {
  workflow: ["name", "run-name", "on", "permissions", "concurrency", "env", "jobs"],
  job: ["name", "needs", "if", "runs-on", "timeout-minutes", "environment", "permissions", "outputs", "env", "steps", "uses", "with", "secrets", "concurrency"],
  step: ["name", "id", "if", "uses", "with", "run", "env", "continue-on-error", "timeout-minutes"],
  inner: ["name", "id", "if", "uses", "with", "run", "shell", "env"], // of a composite action
  action: ["name", "description", "inputs", "outputs", "runs"],
};

function refuseUnknown(kind, mapping) {
  const unknown = Object.keys(mapping).filter((key) => !KNOWN[kind].includes(key));
  if (unknown.length) throw new Error(`this executor does not run ${kind} key ${unknown}`);
}

// --- expressions ---------------------------------------------------------------------------------

const toData = (value) => JSON.parse(JSON.stringify(value ?? null), data.reviver);
const plain = (value) => JSON.parse(JSON.stringify(value, data.replacer));
const STATUS = ["success", "failure", "cancelled", "always"];

function evaluate(expression, contexts, status) {
  const functions = STATUS.map((name) => ({ name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(status(name)) }));
  functions.push({ name: "hashFiles", minArgs: 1, maxArgs: 255, call: () => { throw new Error("hashFiles is not run"); } });
  const tokens = new Lexer(expression).lex().tokens;
  const tree = new Parser(tokens, Object.keys(contexts), functions).parse();
  return new Evaluator(tree, toData(contexts), new Map(functions.map((f) => [f.name.toLowerCase(), f]))).evaluate();
}

const MARK = /\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}/g;

// A whole value with its `${{ }}` replaced, in text, lists and mappings.
function fill(value, contexts, status = () => false) {
  if (Array.isArray(value)) return value.map((item) => fill(item, contexts, status));
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, contexts, status)]));
  if (typeof value !== "string") return value;
  const whole = value.match(/^\$\{\{((?:'(?:[^']|'')*'|[^'])*?)\}\}$/);
  if (whole) return plain(evaluate(whole[1], contexts, status));
  return value.replace(MARK, (_, expression) => evaluate(expression, contexts, status).coerceString());
}

function holds(condition, contexts, status) {
  const text = String(condition ?? "success()").replace(MARK, "$1");
  const asks = new RegExp(`\\b(${STATUS.join("|")})\\s*\\(`).test(text);
  const result = evaluate(asks ? text : `success() && (${text})`, contexts, status);
  return result.kind === data.Kind.Boolean ? result.value : Boolean(plain(result));
}

// --- triggers ------------------------------------------------------------------------------------

function matches(pattern, name) {
  const regex = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replace(/\*\*/g, "\0").replace(/\*/g, "[^/]*").replace(/\0/g, ".*");
  return new RegExp(`^${regex}$`).test(name);
}

const any = (patterns, names) => names.some((name) => patterns.some((pattern) => matches(pattern, name)));

function triggered(workflow, event) {
  const on = typeof workflow.on === "string" ? { [workflow.on]: null } : Array.isArray(workflow.on) ? Object.fromEntries(workflow.on.map((name) => [name, null])) : workflow.on;
  if (!(event.event in on)) return false;
  const filter = on[event.event] ?? {};
  const branch = [event.event === "pull_request" ? "main" : event.ref.replace("refs/heads/", "")];
  if (filter.branches && !any(filter.branches, branch)) return false;
  if (filter["branches-ignore"] && any(filter["branches-ignore"], branch)) return false;
  if (filter.paths && !any(filter.paths, event.changed)) return false;
  return !(filter["paths-ignore"] && event.changed.every((name) => any(filter["paths-ignore"], [name])));
}

// --- steps ---------------------------------------------------------------------------------------

function command(text, folder, environment, seconds) {
  const done = spawnSync("bash", ["-e", "-c", text], { cwd: folder, env: environment, encoding: "utf8", timeout: seconds * 1000, maxBuffer: 1 << 28 });
  return { code: done.status ?? 124, output: done.stdout + done.stderr };
}

// GITHUB_OUTPUT and GITHUB_ENV: NAME=value, or NAME<<END, lines, END.
function assignments(file) {
  const found = {};
  const lines = fs.readFileSync(file, "utf8").split("\n");
  while (lines.length) {
    const line = lines.shift();
    const heredoc = line.match(/^([^=]+?)<<(.+)$/);
    if (heredoc) found[heredoc[1]] = lines.splice(0, lines.indexOf(heredoc[2]) + 1).slice(0, -1).join("\n");
    else if (line.includes("=")) found[line.slice(0, line.indexOf("="))] = line.slice(line.indexOf("=") + 1);
    else if (line) throw new Error(`no assignment: ${line}`);
  }
  return found;
}

// upload-artifact keeps paths from the deepest folder that all of them share.
function upload({ name, path: paths }, job) {
  const roots = String(paths).split("\n").map((line) => line.trim()).filter(Boolean);
  const base = roots.length > 1 ? "." : roots[0];
  const present = roots.filter((root) => fs.existsSync(path.join(job.folder, root)));
  for (const root of present)
    fs.cpSync(path.join(job.folder, root), path.join(job.artifacts, name, path.relative(base, root)), { recursive: true });
}

function download({ name }, job) {
  const from = path.join(job.artifacts, name);
  if (!fs.existsSync(from)) throw new Error(`there is no artifact ${name}`);
  fs.cpSync(from, job.folder, { recursive: true });
}

// One commit alone, unless all are asked for.
function checkout(inputs, job) {
  const depth = String(inputs["fetch-depth"] ?? 1);
  const fetch = depth === "0" ? "git fetch --quiet origin" : `git fetch --quiet --depth ${Number(depth)} origin`;
  const done = command(`git init --quiet . && git remote add origin "file://$FROM" && ${fetch} "$SHA" && git checkout --quiet "$SHA"`, job.folder, { ...process.env, FROM: job.event.project, SHA: job.github.sha }, 60);
  if (done.code) throw new Error(done.output);
}

// action: [inputs it may get, what it does here]
const ACTIONS = {
  "actions/checkout": [["persist-credentials", "fetch-depth"], checkout],
  "astral-sh/setup-uv": [["version", "enable-cache"], () => {}],
  "actions/upload-artifact": [["name", "path"], upload],
  "actions/download-artifact": [["name"], download],
  "sigstore/cosign-installer": [["cosign-release"], () => {}],
  "aws-actions/configure-aws-credentials": [["role-to-assume", "aws-region", "role-duration-seconds"], () => {}],
  "google-github-actions/auth": [["workload_identity_provider", "service_account"], () => {}],
  "Azure/login": [["client-id", "tenant-id", "subscription-id"], () => {}],
};

function runAction(step, contexts, job) {
  const inputs = fill(step.with ?? {}, contexts);
  if (step.uses.startsWith("$/")) return composite(step.uses.slice(2), inputs, contexts, job);
  const [name] = step.uses.split("@");
  if (!(name in ACTIONS)) throw new Error(`no stand-in for the action ${name}`);
  const [known, action] = ACTIONS[name];
  const unknown = Object.keys(inputs).filter((key) => !known.includes(key));
  if (unknown.length) throw new Error(`${name} gets the unknown input ${unknown}`);
  action(inputs, job);
  return "success";
}

function composite(folder, inputs, contexts, job) {
  const action = parse(fs.readFileSync(path.join(job.event.project, folder, "action.yml"), "utf8"));
  refuseUnknown("action", action);
  const surplus = Object.keys(inputs).filter((name) => !(name in (action.inputs ?? {})));
  if (surplus.length) throw new Error(`${folder} gets the unknown input ${surplus}`);
  const given = Object.fromEntries(Object.entries(action.inputs ?? {}).map(([name, input]) => [name, inputs[name] ?? input.default ?? ""]));
  const inner = { ...job, status: "success", record: [], steps: {} };
  const { vars, secrets, ...own } = { ...contexts, inputs: given }; // an action sees neither
  for (const step of action.runs.steps) {
    refuseUnknown("inner", step);
    if (step.run && step.shell !== "bash") throw new Error(`${folder}: run needs shell: bash`);
    const { shell, ...rest } = step;
    runStep({ ...rest, env: step.run ? { ...step.env, GITHUB_ACTION_PATH: path.join(job.event.project, folder) } : step.env }, inner, own);
  }
  job.record.push(...inner.record);
  return inner.status;
}

function runRun(step, environment, job) {
  const files = Object.fromEntries(["OUTPUT", "ENV", "PATH", "STEP_SUMMARY"].map((name) => [`GITHUB_${name}`, path.join(job.temp, `${job.record.length}-${name}`)]));
  for (const file of Object.values(files)) fs.writeFileSync(file, "");
  const done = command(step.run, job.folder, { ...process.env, ...environment, ...files }, (step["timeout-minutes"] ?? 60) * 60);
  Object.assign(job.env, assignments(files.GITHUB_ENV));
  const said = job.masked.reduce((text, secret) => text.replaceAll(secret, "***"), done.output);
  return { outcome: done.code ? "failure" : "success", outputs: assignments(files.GITHUB_OUTPUT), summary: fs.readFileSync(files.GITHUB_STEP_SUMMARY, "utf8"), said };
}

function runStep(step, job, contexts) {
  refuseUnknown("step", step);
  const status = (name) => ({ success: job.status === "success", failure: job.status === "failure", cancelled: false, always: true })[name];
  const now = { ...contexts, steps: job.steps, env: job.env, job: { status: job.status } };
  let done = { outcome: "skipped", outputs: {} };
  const entry = { run: step.run, uses: step.uses };
  if (holds(step.if, now, status)) {
    const own = fill(step.env ?? {}, now);
    entry.env = { ...job.env, ...own };
    if (step.run) done = runRun({ ...step, run: fill(step.run, now) }, Object.fromEntries(Object.entries({ ...job.base, ...job.env, ...own }).map(([key, value]) => [key, String(value ?? "")])), job);
    else done = { outcome: runAction(step, now, job), outputs: {} };
  }
  const conclusion = done.outcome === "failure" && step["continue-on-error"] ? "success" : done.outcome;
  if (conclusion === "failure") job.status = "failure";
  if (step.id) job.steps[step.id] = { outcome: done.outcome, conclusion, outputs: done.outputs };
  job.record.push({ ...entry, outcome: done.outcome, summary: done.summary, said: done.said });
}

// --- jobs ----------------------------------------------------------------------------------------

function ancestors(id, jobs, seen = new Set()) {
  for (const need of [jobs[id].needs ?? []].flat()) if (!seen.has(need)) ancestors(need, jobs, seen.add(need));
  return [...seen];
}

async function runJob(id, definition, workflow, event, base, results, file) {
  refuseUnknown("job", definition);
  const all = ancestors(id, workflow.jobs).map((name) => results[name].result);
  const status = (name) => ({ success: all.every((r) => r === "success"), failure: all.includes("failure"), cancelled: false, always: true })[name];
  const needs = Object.fromEntries([definition.needs ?? []].flat().map((name) => [name, results[name]]));
  const contexts = { ...base, needs };
  if (!holds(definition.if, contexts, status)) return { result: "skipped", outputs: {} };
  if (definition.uses) return callWorkflow(definition, contexts, event);
  const place = event.environments?.[definition.environment] ?? {};
  contexts.vars = { ...base.vars, ...place.vars };
  contexts.secrets = event.event === "pull_request" ? {} : { ...base.secrets, ...place.secrets };
  const temp = fs.mkdtempSync(path.join(event.scratch, `${id}-`));
  const job = { status: "success", record: [], steps: {}, event, github: base.github, temp, folder: path.join(temp, "work"), artifacts: path.join(event.scratch, "artifacts"), masked: Object.values(contexts.secrets).filter(Boolean) };
  fs.mkdirSync(job.folder);
  job.env = { ...fill(workflow.env ?? {}, contexts), ...fill(definition.env ?? {}, contexts) };
  job.base = { CI: "true", GITHUB_ACTIONS: "true", GITHUB_REPOSITORY: base.github.repository, GITHUB_SHA: base.github.sha, GITHUB_REF: base.github.ref, GITHUB_EVENT_NAME: base.github.event_name, RUNNER_TEMP: temp };
  contexts.runner = { os: "Linux", temp };
  const runsOn = fill(definition["runs-on"], contexts);
  for (const step of definition.steps) runStep(step, job, contexts);
  const outputs = fill(definition.outputs ?? {}, { ...contexts, steps: job.steps });
  trace.push({ file, job: id, runs_on: runsOn, environment: definition.environment ?? null, permissions: definition.permissions ?? {}, result: job.status, steps: job.record });
  return { result: job.status, outputs };
}

async function callWorkflow(definition, contexts, event) {
  const file = definition.uses.replace(/^\$\//, "");
  const called = await load(event.project, file);
  const inputs = fill(definition.with ?? {}, contexts);
  const declared = called.on.workflow_call.inputs ?? {};
  for (const name of Object.keys(inputs)) if (!(name in declared)) throw new Error(`${file} has no input ${name}`);
  for (const [name, input] of Object.entries(declared)) if (input.required && !(name in inputs)) throw new Error(`${file} needs the input ${name}`);
  const secrets = fill(definition.secrets ?? {}, contexts);
  for (const name of Object.keys(secrets)) if (!(name in (called.on.workflow_call.secrets ?? {}))) throw new Error(`${file} has no secret ${name}`);
  return { result: await runWorkflow(path.basename(file), called, event, { ...contexts, inputs, secrets }), outputs: {} };
}

async function runWorkflow(file, workflow, event, contexts) {
  const results = {};
  const waiting = Object.entries(workflow.jobs);
  while (waiting.length) {
    const next = waiting.findIndex(([, job]) => [job.needs ?? []].flat().every((name) => name in results));
    if (next < 0) throw new Error(`${file}: jobs need each other in a circle`);
    const [[id, definition]] = waiting.splice(next, 1);
    results[id] = await runJob(id, definition, workflow, event, contexts, results, file);
    if (results[id].result === "skipped") trace.push({ file, job: id, result: "skipped", steps: [] });
  }
  return Object.values(results).some((job) => job.result === "failure") ? "failure" : "success";
}

async function load(project, name) {
  const content = fs.readFileSync(path.join(project, name), "utf8");
  const parsed = parseWorkflow({ name, content }, new NoOperationTraceWriter());
  const template = await convertWorkflowTemplate(parsed.context, parsed.value);
  const errors = [...parsed.context.errors.getErrors(), ...(template.errors ?? [])].map((error) => error.message ?? error.Message ?? String(error));
  if (errors.length) throw new Error(`${name}: ${[...new Set(errors)].join("; ")}`);
  const workflow = parse(content);
  refuseUnknown("workflow", workflow);
  return workflow;
}

const trace = [];
const event = JSON.parse(fs.readFileSync(0, "utf8"));
const github = { event_name: event.event, ref: event.ref, sha: event.sha, repository: "org/model", server_url: "https://github.com", actor: "someone", token: "run-token", event: event.payload ?? {} };
const folder = path.join(event.project, ".github/workflows");
try {
  for (const name of fs.readdirSync(folder).sort()) {
    const workflow = await load(event.project, path.join(".github/workflows", name));
    if (triggered(workflow, event)) await runWorkflow(name, workflow, event, { github, vars: event.vars ?? {}, secrets: event.secrets ?? {}, inputs: event.inputs ?? {} });
  }
} catch (error) {
  console.error(`ERROR: ${error.message}`);
  process.exit(1);
}
process.stdout.write(JSON.stringify(trace));
