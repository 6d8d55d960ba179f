'use strict';
// The cells of the matrix (../README.md), written once for both rsocket-js lines. A line brings an
// `adapter`, whose contract is in js-0/client.js.

const assert = require('node:assert/strict');
const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const JSON_TYPE = 'application/json';
const RAW_TYPE = 'application/octet-stream';
const COMPOSITE_TYPE = 'message/x.rsocket.composite-metadata.v0';
const ROUTING_TYPE = 'message/x.rsocket.routing.v0';
const LARGE = 3_000_000;
const FRAGMENT = 16_000;
const QUIET_MS = 1_000;
const IDLE_MS = Number(process.env.INTEROP_IDLE_MS ?? 6_000);

const json = (value) => Buffer.from(JSON.stringify(value));
const seqs = (payloads) => payloads.map(({ data }) => JSON.parse(data.toString()).seq);
const texts = (payloads) => payloads.map(({ data }) => data.toString());

function large() {
  const bytes = Buffer.alloc(LARGE);
  for (let i = 0; i < LARGE; i += 1) bytes[i] = (i * 31 + (i >> 8)) & 0xff;
  return bytes;
}

/** Gathers what a stream brings and lets a cell wait for it. */
class Sink {
  payloads = [];
  ended = false;
  error = undefined;
  #check = () => {};

  next(payload) {
    this.payloads.push(payload);
    this.#check();
  }

  end(error) {
    this.ended = true;
    this.error = error;
    this.#check();
  }

  /** Resolves once `count` payloads came, rejects when the stream ends before. */
  items(count) {
    return new Promise((resolve, reject) => {
      this.#check = () => {
        if (this.payloads.length >= count) resolve();
        else if (this.ended) reject(this.error ?? new Error(`ended after ${this.payloads.length}`));
      };
      this.#check();
    });
  }

  /** Resolves at COMPLETE, rejects at ERROR. */
  completion() {
    return new Promise((resolve, reject) => {
      this.#check = () => {
        if (!this.ended) return;
        if (this.error) reject(this.error);
        else resolve();
      };
      this.#check();
    });
  }
}

const cells = {
  async 'request-response'({ open, session }) {
    await open({ dataType: RAW_TYPE });
    const metadata = session().composite([[ROUTING_TYPE, session().route('debug.echo')]]);
    const reply = await session().request({ data: Buffer.from('tide'), metadata });
    assert.equal(reply.data.toString(), 'tide');
    assert.deepEqual(reply.metadata, metadata);
  },

  async stream({ open, session, to }) {
    await open({});
    const sink = new Sink();
    session().stream(to('debug.count', json({ from: 3, limit: 10 })), 100, sink);
    await sink.completion();
    assert.deepEqual(seqs(sink.payloads), [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  },

  async channel({ open, session, to }) {
    await open({ dataType: RAW_TYPE });
    const sink = new Sink();
    const sent = ['a', 'b', 'c', 'd', 'e'];
    const rest = sent.slice(1).map((text) => ({ data: Buffer.from(text) }));
    const call = session().channel(to('debug.echo', Buffer.from('a')), rest, 2, sink);
    await sink.items(2);
    call.request(100);
    await sink.completion();
    assert.deepEqual(texts(sink.payloads), sent);
  },

  async 'responder-ends-first'({ open, session, to }) {
    await open({ dataType: RAW_TYPE });
    const sink = new Sink();
    const rest = ['b', 'c', 'd', 'e'].map((text) => ({ data: Buffer.from(text) }));
    const call = session().channel(to('debug.first', Buffer.from('a')), rest, 100, sink, true);
    await sink.completion();
    assert.equal(sink.payloads.length, 1);
    call.release();
    await call.sent();
  },

  async 'responder-cancels'({ open, session, to }) {
    await open({ dataType: RAW_TYPE });
    const sink = new Sink();
    const rest = ['b', 'c'].map((text) => ({ data: Buffer.from(text) }));
    const call = session().channel(to('debug.drop', Buffer.from('a')), rest, 100, sink, true);
    await sink.completion();
    assert.equal(sink.payloads.length, 3);
    await call.cancelled();
  },

  async 'fire-and-forget'({ open, session, to }) {
    await open({ dataType: RAW_TYPE });
    const count = async () =>
      Number((await session().request(to('debug.sink.count'))).data.toString());
    const before = await count();
    const drop = to('debug.sink', Buffer.from('x'));
    for (let i = 0; i < 20; i += 1) await session().fireAndForget(drop);
    let now = before;
    for (let tries = 0; now < before + 20 && tries < 50; tries += 1) {
      await sleep(20);
      now = await count();
    }
    assert.equal(now - before, 20);
  },

  async 'metadata-push'({ open, session, works }) {
    await open({ dataType: RAW_TYPE });
    await session().metadataPush(session().composite([['text/plain', Buffer.from('news')]]));
    await works();
  },

  async credit({ open, session, to }) {
    await open({});
    const sink = new Sink();
    const call = session().stream(to('debug.count', json({})), 5, sink);
    await sink.items(5);
    await sleep(QUIET_MS);
    assert.equal(sink.payloads.length, 5, 'five were asked for');
    call.request(3);
    await sink.items(8);
    await sleep(QUIET_MS);
    assert.equal(sink.payloads.length, 8, 'three more were asked for');
    call.cancel();
  },

  async cancel({ open, session, to, works }) {
    await open({});
    const sink = new Sink();
    const endless = to('debug.count', json({ every_ms: 5 }));
    const call = session().stream(endless, 1_000_000, sink);
    await sink.items(5);
    call.cancel();
    const seen = sink.payloads.length;
    await sleep(QUIET_MS);
    assert.equal(sink.payloads.length, seen);
    await works();
  },

  async error({ open, session, to, works }) {
    await open({});
    const failure = await session().request(to('no.such.route')).then(() => undefined, (e) => e);
    assert.ok(failure, 'an unknown route was answered');
    assert.equal(session().errorCode(failure), 0x204, `${failure}`);
    await works();
  },

  async 'large-out'({ open, session, to, fragments }) {
    await open({ dataType: RAW_TYPE, fragment: fragments ? FRAGMENT : undefined });
    const reply = await session().request(to('debug.echo', large()));
    assert.ok(reply.data.equals(large()), 'other bytes came back');
    return fragments ? 'in fragments' : 'one frame';
  },

  async 'large-in'({ open, session, to }) {
    await open({ dataType: RAW_TYPE });
    const reply = await session().request(to('debug.echo', large()));
    assert.ok(reply.data.equals(large()), 'other bytes came back');
    return 'in fragments';
  },

  async composite({ open, session }) {
    await open({ dataType: RAW_TYPE });
    const metadata = session().composite([
      ['application/vnd.tidegate.first', Buffer.from('custom type')],
      ['text/plain', Buffer.from('well-known type')],
      [ROUTING_TYPE, session().route('debug.echo')],
    ]);
    const reply = await session().request({ data: Buffer.from('x'), metadata });
    assert.deepEqual(reply.metadata, metadata);
  },

  async routing({ open, session }) {
    await open({ dataType: RAW_TYPE, metadataType: ROUTING_TYPE });
    const metadata = session().route('debug.echo');
    const reply = await session().request({ data: Buffer.from('plain'), metadata });
    assert.equal(reply.data.toString(), 'plain');
    assert.deepEqual(reply.metadata, metadata);
  },

  async keepalive({ open, session, works }) {
    await open({ keepAlive: 500, lifetime: 2_000 });
    await sleep(IDLE_MS);
    assert.ok(!session().closed(), 'closed while idle');
    await works();
  },
};

async function run(adapter, url, name) {
  let current;
  const session = () => current;
  const open = async (options) => {
    current = await adapter.connect({
      url,
      metadataType: COMPOSITE_TYPE,
      dataType: JSON_TYPE,
      keepAlive: 10_000,
      lifetime: 60_000,
      ...options,
    });
  };
  const to = (route, data = Buffer.alloc(0)) => ({
    data,
    metadata: current.composite([[ROUTING_TYPE, current.route(route)]]),
  });
  const works = async () => {
    const reply = await current.request(to('debug.echo', Buffer.from('still here')));
    assert.equal(reply.data.toString(), 'still here');
  };
  const line = {
    client: adapter.client,
    version: adapter.version,
    transport: url.protocol.slice(0, -1),
    cell: name,
  };
  try {
    const cell = cells[name];
    if (!cell) throw new Error('no such cell');
    adapter.complaints.length = 0;
    const note = await cell({ open, session, to, works, fragments: adapter.fragments });
    if (adapter.complaints.length > 0) throw new Error(adapter.complaints[0]);
    return { ...line, result: 'pass', detail: note ?? '' };
  } catch (error) {
    return { ...line, result: 'fail', detail: `${error?.message ?? error}`.split('\n')[0] };
  } finally {
    current?.close();
  }
}

/** Runs the cells named on standard input, one a line, against the URL of the first argument. */
async function main(adapter) {
  const url = new URL(process.argv[2]);
  for await (const name of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await run(adapter, url, name.trim())));
  }
  process.exit(0);
}

module.exports = { main };
