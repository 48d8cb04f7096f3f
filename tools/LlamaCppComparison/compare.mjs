// Times llama.cpp and elder on one GGUF file, in turns; see README.md.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const here = dirname(fileURLToPath(import.meta.url));
const cli = join(here, "..", "..", "src", "ElderManaged.Cli");
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1,2" }, rounds: { type: "string", default: "3" },
    prompt: { type: "string", default: "512" }, tokens: { type: "string", default: "128" }, json: { type: "boolean", default: false },
  },
});
if (positionals.length !== 1 || !existsSync(positionals[0])) {
  fail(`Give one GGUF file that exists${positionals.length ? `; ${positionals[0]} does not` : ""}: node compare.mjs FILE.gguf`);
}
const file = resolve(positionals[0]);

run("dotnet", ["build", cli, "-c", "Release", "-v", "q", "--nologo"]);
const rows = [];
for (const threads of options.threads.split(",").map(Number)) {
  const theirs = { prompt: [], decode: [] }, ours = { prompt: [], decode: [] };
  for (let round = 0; round < Number(options.rounds); round++) {
    console.error(`${threads} thread(s), round ${round + 1} of ${options.rounds}`);
    const peer = lastLine(run("node", [join(here, "llama.mjs"), file, threads, options.prompt, options.tokens].map(String)));
    theirs.prompt.push(median(peer.prompt));
    theirs.decode.push(median(peer.decode));
    ours.prompt.push(elder(threads, options.prompt, 2).promptTokensPerSecond);
    ours.decode.push(elder(threads, 32, options.tokens).tokensPerSecond);
  }

  for (const [what, name, bar] of [["decode", `decode ${options.tokens} tokens`, 1], ["prompt", `prompt of ${options.prompt} tokens`, 2.5]]) {
    const [mine, peer] = [median(ours[what]), median(theirs[what])];
    rows.push({ name, threads, ours: mine, peer, unit: "tokens/s", ratio: mine / peer, bar });
  }
}

if (options.json) {
  console.log(JSON.stringify(rows, null, 2));
} else {
  console.log(`${cpus()[0].model.trim()}, ${file.split(/[\\/]/).pop()}\n`);
  console.log("| what | threads | elder, tokens/s | llama.cpp, tokens/s | ratio | wished |\n|---|---:|---:|---:|---:|---:|");
  for (const r of rows) {
    console.log(`| ${r.name} | ${r.threads} | ${r.ours.toFixed(1)} | ${r.peer.toFixed(1)} | ${r.ratio.toFixed(2)} | ${r.bar.toFixed(1)} |`);
  }
}

function elder(threads, prompt, tokens) {
  const arguments_ = ["run", "-c", "Release", "--no-build", "--project", cli, "--",
    "bench", "model", "--model", file, "--prompt", prompt, "--tokens", tokens, "--threads", threads, "--json"];
  const text = run("dotnet", arguments_.map(String));
  return JSON.parse(text.slice(text.indexOf("{")));
}

function run(command, arguments_) {
  const result = spawnSync(command, arguments_, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (result.error || result.status !== 0) {
    fail(`${command} ${arguments_.join(" ")} failed${result.error ? `: ${result.error.message}` : ` with exit code ${result.status}`}\n${result.stdout ?? ""}${result.stderr ?? ""}`);
  }
  return result.stdout;
}

function lastLine(text) {
  return JSON.parse(text.trim().split("\n").pop());
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length % 2 ? sorted[(sorted.length - 1) / 2] : (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
