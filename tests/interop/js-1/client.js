'use strict';
// rsocket-js 1.0.0-alpha. Usage: echo CELL | node client.js URL
// URL is tcp://HOST:PORT or ws://HOST:PORT/rsocket.
// The adapter's contract is in ../js-0/client.js.

const { RSocketConnector } = require('rsocket-core');
const { TcpClientTransport } = require('rsocket-tcp-client');
const { WebsocketClientTransport } = require('rsocket-websocket-client');
const {
  WellKnownMimeType,
  encodeCompositeMetadata,
  encodeRoute,
} = require('rsocket-composite-metadata');
const WebSocket = require('ws');
const { main } = require('../js/cells.js');

function transport(url) {
  if (url.protocol === 'tcp:') {
    const connectionOptions = { host: url.hostname, port: Number(url.port) };
    return new TcpClientTransport({ connectionOptions });
  }
  return new WebsocketClientTransport({ url: url.href, wsCreator: (href) => new WebSocket(href) });
}

async function connect({ url, metadataType, dataType, keepAlive, lifetime, fragment }) {
  const socket = await new RSocketConnector({
    setup: { keepAlive, lifetime, dataMimeType: dataType, metadataMimeType: metadataType },
    fragmentation: { maxOutboundFragmentSize: fragment },
    transport: transport(url),
  }).connect();
  let isClosed = false;
  socket.onClose(() => { isClosed = true; });
  return {
    request: (payload) => new Promise((resolve, reject) => {
      socket.requestResponse(payload, {
        onNext: resolve,
        onComplete: () => resolve(undefined),
        onError: reject,
        onExtension() {},
      });
    }),
    fireAndForget: (payload) => new Promise((resolve, reject) => {
      socket.fireAndForget(payload, { onComplete: resolve, onError: reject });
    }),
    metadataPush: (metadata) => new Promise((resolve, reject) => {
      socket.metadataPush(metadata, { onComplete: resolve, onError: reject });
    }),
    stream: (payload, n, sink) => socket.requestStream(payload, n, inbound(sink)),
    channel(first, rest, n, sink, held = false) {
      const source = new Source(rest, held);
      source.stream = socket.requestChannel(first, n, false, {
        ...inbound(sink),
        request: (count) => source.grant(count),
        cancel: () => source.onCancelled(),
      });
      return {
        request: (count) => source.stream.request(count),
        release: () => source.release(),
        sent: () => source.sent,
        cancelled: () => source.cancelled,
      };
    },
    route: (name) => encodeRoute(name),
    composite: (entries) => encodeCompositeMetadata(entries.map(compact)),
    errorCode: (error) => error.code,
    closed: () => isClosed,
    close: () => socket.close(),
  };
}

/** The library writes a type as one byte only when it is handed the constant. */
function compact([type, content]) {
  const known = {
    'message/x.rsocket.routing.v0': WellKnownMimeType.MESSAGE_RSOCKET_ROUTING,
    'text/plain': WellKnownMimeType.TEXT_PLAIN,
  };
  return [known[type] ?? type, content];
}

function inbound(sink) {
  return {
    onNext(payload, isComplete) {
      sink.next(payload);
      if (isComplete) sink.end();
    },
    onComplete: () => sink.end(),
    onError: (error) => sink.end(error),
    onExtension() {},
  };
}

/** A channel's outbound half after its first item: hands out what the responder granted. */
class Source {
  #granted = 0;

  constructor(rest, held) {
    this.queue = [...rest];
    this.held = held;
    this.sent = new Promise((resolve) => { this.onSent = resolve; });
    this.cancelled = new Promise((resolve) => { this.onCancelled = resolve; });
  }

  grant(count) {
    this.#granted += count;
    // The first grant may come while requestChannel() still runs.
    queueMicrotask(() => this.#pump());
  }

  release() {
    this.held = false;
    this.#pump();
  }

  #pump() {
    while (!this.held && this.queue?.length > 0 && this.#granted > 0) {
      this.#granted -= 1;
      this.stream.onNext(this.queue.shift(), this.queue.length === 0);
    }
    if (this.queue?.length === 0) {
      this.queue = undefined;
      this.onSent();
    }
  }
}

main({
  client: 'rsocket-js',
  version: require('rsocket-core/package.json').version,
  fragments: true,
  complaints: [],
  connect,
});
