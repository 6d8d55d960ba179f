'use strict';
// rsocket-js 0.0.x. Usage: echo CELL | node client.js URL
// URL is tcp://HOST:PORT or ws://HOST:PORT/rsocket.
//
// An adapter for ../js/cells.js gives `connect(options)`, which resolves to a session:
//   request, fireAndForget, metadataPush   promises
//   stream(payload, n, sink)               { request(n), cancel() }
//   channel(first, rest, n, sink, held)    { request(n), release(), sent(), cancelled() }; `held`
//                                          keeps `rest` back until release()
//   route(name), composite(entries)        metadata, encoded by the library itself
//   errorCode(error), closed(), close()
// and beside it `client`, `version`, `fragments` (can it fragment what it sends?) and `complaints`,
// what the library said that it does not report as an error; any complaint fails the cell.

const util = require('node:util');

const core = require('rsocket-core');
const { Flowable } = require('rsocket-flowable');
const RSocketTcpClient = require('rsocket-tcp-client').default;
const RSocketWebSocketClient = require('rsocket-websocket-client').default;
const WebSocket = require('ws');
const { main } = require('../js/cells.js');

// An item beyond the credit is dropped by the library with no more than a warning.
const complaints = [];
console.warn = (format, ...values) => complaints.push(util.format(format, ...values));

function transport(url) {
  if (url.protocol === 'tcp:') {
    const address = { host: url.hostname, port: Number(url.port) };
    return new RSocketTcpClient(address, core.BufferEncoders);
  }
  const options = { url: url.href, wsCreator: (href) => new WebSocket(href) };
  return new RSocketWebSocketClient(options, core.BufferEncoders);
}

async function connect({ url, metadataType, dataType, keepAlive, lifetime }) {
  const client = new core.RSocketClient({
    setup: { keepAlive, lifetime, dataMimeType: dataType, metadataMimeType: metadataType },
    transport: transport(url),
  });
  const socket = await new Promise((resolve, reject) => {
    client.connect().subscribe({ onComplete: resolve, onError: reject, onSubscribe() {} });
  });
  let isClosed = false;
  socket.connectionStatus().subscribe(({ kind }) => {
    isClosed ||= kind === 'CLOSED' || kind === 'ERROR';
  });
  const once = (single) => new Promise((resolve, reject) => {
    single.subscribe({ onComplete: resolve, onError: reject, onSubscribe() {} });
  });
  const follow = (flowable, n, sink) => {
    let upstream;
    flowable.subscribe({
      onNext: (payload) => sink.next(payload),
      onComplete: () => sink.end(),
      onError: (error) => sink.end(error),
      onSubscribe(subscription) {
        upstream = subscription;
        subscription.request(n);
      },
    });
    return upstream;
  };
  return {
    request: (payload) => once(socket.requestResponse(payload)),
    fireAndForget: async (payload) => socket.fireAndForget(payload),
    metadataPush: (metadata) => once(socket.metadataPush({ metadata })),
    stream: (payload, n, sink) => follow(socket.requestStream(payload), n, sink),
    channel(first, rest, n, sink, held = false) {
      const source = new Source(first, rest, held);
      const { request } = follow(socket.requestChannel(source.flowable), n, sink);
      return {
        request,
        release: () => source.release(),
        sent: () => source.sent,
        cancelled: () => source.cancelled,
      };
    },
    route: (name) => core.encodeRoute(name),
    composite: (entries) => core.encodeCompositeMetadata(entries.map(compact)),
    errorCode: (error) => error.source?.code,
    closed: () => isClosed,
    close: () => socket.close(),
  };
}

/** The library writes a type as one byte only when it is handed the constant. */
function compact([type, content]) {
  const known = {
    'message/x.rsocket.routing.v0': core.MESSAGE_RSOCKET_ROUTING,
    'text/plain': core.TEXT_PLAIN,
  };
  return [known[type] ?? type, content];
}

/** A channel's outbound half: hands out what the responder granted, and says how it ended. */
class Source {
  #granted = 0;

  constructor(first, rest, held) {
    this.queue = [first, ...rest];
    this.held = held;
    this.sent = new Promise((resolve) => { this.onSent = resolve; });
    this.cancelled = new Promise((resolve) => { this.onCancelled = resolve; });
    this.flowable = new Flowable((subscriber) => {
      this.subscriber = subscriber;
      subscriber.onSubscribe({
        request: (n) => {
          this.#granted += n;
          this.#pump();
        },
        cancel: () => {
          this.queue = undefined;
          this.onCancelled();
        },
      });
    });
    this.isFirst = true;
  }

  release() {
    this.held = false;
    this.#pump();
  }

  #pump() {
    while (this.queue?.length > 0 && this.#granted > 0 && (this.isFirst || !this.held)) {
      this.isFirst = false;
      this.#granted -= 1;
      this.subscriber.onNext(this.queue.shift());
    }
    if (this.queue?.length === 0) {
      this.queue = undefined;
      this.subscriber.onComplete();
      this.onSent();
    }
  }
}

main({
  client: 'rsocket-js',
  version: require('rsocket-core/package.json').version,
  fragments: false, // this line reassembles, but never fragments
  complaints,
  connect,
});
