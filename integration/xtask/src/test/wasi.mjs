// Runs one WASI (preview 1) test binary: node wasi.mjs FILE [ARGUMENT...]
//
// Only what Rust's test harness needs: arguments, standard output and error, time, randomness, exit. No files, no
// environment. Everything else answers ENOSYS. (node:wasi of Node 20 is not used: its own memory is damaged after
// some thousand writes of these tests.)
import { randomFillSync } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";

const SUCCESS = 0;
const EBADF = 8;
const EFAULT = 21;
const ENOSYS = 52;
const NANOSECONDS = 1_000_000n;

class Exit extends Error {
  constructor(status) {
    super(`exit ${status}`);
    this.status = status;
  }
}

const [file, ...rest] = process.argv.slice(2);
const args = [file, ...rest].map((text) => Buffer.from(`${text}\0`));
let memory;
const view = () => new DataView(memory.buffer);
const bytes = (at, size) => new Uint8Array(memory.buffer, at >>> 0, size >>> 0);

/** A whole write: a pipe may take a part, or nothing for now. */
function writeAll(descriptor, data) {
  for (let done = 0; done < data.length; ) {
    try {
      done += writeSync(descriptor, data, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

const wasi = {
  args_sizes_get(count, size) {
    view().setUint32(count, args.length, true);
    view().setUint32(size, args.reduce((sum, text) => sum + text.length, 0), true);
    return SUCCESS;
  },
  args_get(pointers, at) {
    for (const text of args) {
      view().setUint32(pointers, at, true);
      bytes(at, text.length).set(text);
      pointers += 4;
      at += text.length;
    }
    return SUCCESS;
  },
  environ_sizes_get(count, size) {
    view().setUint32(count, 0, true);
    view().setUint32(size, 0, true);
    return SUCCESS;
  },
  environ_get: () => SUCCESS,
  fd_write(descriptor, vectors, count, written) {
    if (descriptor !== 1 && descriptor !== 2) return EBADF;
    let sum = 0;
    for (let index = 0; index < count; index += 1, vectors += 8) {
      const size = view().getUint32(vectors + 4, true);
      writeAll(descriptor, bytes(view().getUint32(vectors, true), size));
      sum += size;
    }
    view().setUint32(written, sum, true);
    return SUCCESS;
  },
  fd_prestat_get: () => EBADF,
  fd_prestat_dir_name: () => EBADF,
  clock_time_get(clock, _precision, at) {
    const now = clock === 0 ? BigInt(Date.now()) * NANOSECONDS : process.hrtime.bigint();
    view().setBigUint64(at, now, true);
    return SUCCESS;
  },
  random_get(at, size) {
    if (at + size > memory.buffer.byteLength) return EFAULT;
    randomFillSync(bytes(at, size));
    return SUCCESS;
  },
  sched_yield: () => SUCCESS,
  proc_exit(status) {
    throw new Exit(status);
  },
};

const imports = new Proxy(wasi, { get: (known, name) => known[name] ?? (() => ENOSYS), has: () => true });
const module = new WebAssembly.Module(readFileSync(file));
const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: imports });
memory = instance.exports.memory;
try {
  instance.exports._start();
} catch (error) {
  if (!(error instanceof Exit)) console.error(error);
  process.exitCode = error instanceof Exit ? error.status : 134;
}
