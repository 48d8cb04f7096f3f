// One measurement of llama.cpp in a process of its own: node llama.mjs FILE THREADS PROMPT TOKENS → one line of JSON.
import { getLlama } from "node-llama-cpp";

const [file, threads, promptTokens, tokens] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const rounds = 3;
const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
  contextSize: Math.max(promptTokens, 64 + tokens) + 8, batchSize: promptTokens, threads: { ideal: threads, min: threads },
});
const sequence = context.getSequence();
const vocabulary = 40000; // any ids do, as long as the model has them
const ids = Array.from({ length: promptTokens }, (_, i) => 1000 + ((i * 7919) % vocabulary));

const prompt = [], decode = [];
for (let round = 0; round <= rounds; round++) {
  await sequence.clearHistory();
  let start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(ids);
  prompt.push(promptTokens / ((performance.now() - start) / 1000));

  await sequence.clearHistory();
  await sequence.evaluateWithoutGeneratingNewTokens(ids.slice(0, 32));
  start = performance.now();
  let done = 0;
  for await (const _ of sequence.evaluate([ids[32]], { temperature: 0, yieldEogToken: true })) {
    if (++done >= tokens) break;
  }
  decode.push(done / ((performance.now() - start) / 1000));
}

// The first round warms up.
console.log(JSON.stringify({ prompt: prompt.slice(1), decode: decode.slice(1) }));
process.exit(0);
