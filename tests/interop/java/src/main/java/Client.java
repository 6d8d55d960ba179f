import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.Unpooled;
import io.rsocket.Payload;
import io.rsocket.RSocket;
import io.rsocket.core.RSocketConnector;
import io.rsocket.exceptions.InvalidException;
import io.rsocket.metadata.CompositeMetadataCodec;
import io.rsocket.metadata.TaggingMetadataCodec;
import io.rsocket.metadata.WellKnownMimeType;
import io.rsocket.transport.ClientTransport;
import io.rsocket.transport.netty.client.TcpClientTransport;
import io.rsocket.transport.netty.client.WebsocketClientTransport;
import io.rsocket.util.DefaultPayload;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * rsocket-java. Usage: {@code echo CELL | java Client tcp://HOST:PORT} (or {@code
 * ws://HOST:PORT/rsocket}). What the cells mean is in ../README.md.
 */
public final class Client {
  private static final String ROUTING = WellKnownMimeType.MESSAGE_RSOCKET_ROUTING.getString();
  private static final String COMPOSITE =
      WellKnownMimeType.MESSAGE_RSOCKET_COMPOSITE_METADATA.getString();
  private static final int FRAGMENT = 16_000;
  private static final Duration QUIET = Duration.ofSeconds(1);
  private static final Duration LIMIT = Duration.ofSeconds(15);

  private final URI url;
  private RSocket socket;

  private Client(URI url) {
    this.url = url;
  }

  public static void main(String[] args) throws Exception {
    URI url = URI.create(args[0]);
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
    for (String name = input.readLine(); name != null; name = input.readLine()) {
      Client client = new Client(url);
      String result = "pass";
      String detail;
      try {
        detail = client.run(name.strip());
      } catch (Throwable failure) {
        result = "fail";
        detail = failure.toString();
      } finally {
        if (client.socket != null) client.socket.dispose();
      }
      System.out.printf(
          "{\"client\":\"rsocket-java\",\"version\":\"%s\",\"transport\":\"%s\","
              + "\"cell\":\"%s\",\"result\":\"%s\",\"detail\":\"%s\"}%n",
          version(),
          url.getScheme(),
          name.strip(),
          result,
          detail.replaceAll("[\\\\\"\\p{Cntrl}]", " "));
    }
    System.exit(0);
  }

  private static String version() {
    String jar = RSocket.class.getProtectionDomain().getCodeSource().getLocation().getPath();
    return jar.replaceFirst(".*rsocket-core-(.*)\\.jar", "$1");
  }

  /** Runs one cell; what it returns is its note in the matrix. */
  private String run(String name) throws Exception {
    switch (name) {
      case "request-response":
        return requestResponse();
      case "stream":
        return stream();
      case "channel":
        return channel();
      case "responder-ends-first":
        return responderEndsFirst();
      case "responder-cancels":
        return responderCancels();
      case "fire-and-forget":
        return fireAndForget();
      case "metadata-push":
        return metadataPush();
      case "credit":
        return credit();
      case "cancel":
        return cancel();
      case "error":
        return error();
      case "large-out":
        return large(FRAGMENT);
      case "large-in":
        return large(0);
      case "composite":
        return composite();
      case "routing":
        return routing();
      case "keepalive":
        return keepalive();
      default:
        throw new IllegalArgumentException("no such cell");
    }
  }

  private void connect() {
    connect(COMPOSITE, 0, Duration.ofSeconds(10), Duration.ofSeconds(60));
  }

  private void connect(String metadataType, int mtu, Duration keepalive, Duration lifetime) {
    ClientTransport transport =
        url.getScheme().equals("ws")
            ? WebsocketClientTransport.create(url)
            : TcpClientTransport.create(url.getHost(), url.getPort());
    socket =
        RSocketConnector.create()
            .metadataMimeType(metadataType)
            .dataMimeType("application/json")
            .keepAlive(keepalive, lifetime)
            .fragment(mtu)
            .connect(transport)
            .block(LIMIT);
  }

  private static ByteBuf route(String name) {
    return TaggingMetadataCodec.createTaggingContent(
        ByteBufAllocator.DEFAULT, Collections.singletonList(name));
  }

  private static void add(CompositeByteBuf metadata, String type, ByteBuf content) {
    CompositeMetadataCodec.encodeAndAddMetadataWithCompression(
        metadata, ByteBufAllocator.DEFAULT, type, content);
  }

  private static Payload to(String name, String data) {
    CompositeByteBuf metadata = Unpooled.compositeBuffer();
    add(metadata, ROUTING, route(name));
    return DefaultPayload.create(Unpooled.copiedBuffer(data, StandardCharsets.UTF_8), metadata);
  }

  private Payload request(Payload payload) {
    return socket.requestResponse(payload).block(LIMIT);
  }

  private String works() {
    Payload reply = request(to("debug.echo", "still here"));
    check(reply.getDataUtf8().equals("still here"), "another answer came");
    return "";
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) throw new AssertionError(otherwise);
  }

  /** What an echo must bring back; a released payload cannot be compared, so bytes are. */
  private void echo(ByteBuf metadata, byte[] data) {
    byte[] sent = ByteBufUtil.getBytes(metadata);
    Payload reply = request(DefaultPayload.create(data, sent));
    check(Arrays.equals(bytes(reply.data()), data), "other data came back");
    check(Arrays.equals(bytes(reply.metadata()), sent), "other metadata came back");
  }

  private static byte[] bytes(ByteBuf buffer) {
    return ByteBufUtil.getBytes(buffer);
  }

  private String requestResponse() {
    connect();
    CompositeByteBuf metadata = Unpooled.compositeBuffer();
    add(metadata, ROUTING, route("debug.echo"));
    echo(metadata, "tide".getBytes(StandardCharsets.UTF_8));
    return "";
  }

  private String stream() {
    connect();
    List<Integer> seqs =
        socket
            .requestStream(to("debug.count", "{\"from\":3,\"limit\":10}"))
            .map(Client::seq)
            .collectList()
            .block(LIMIT);
    check(seqs.equals(IntStream.range(3, 13).boxed().collect(Collectors.toList())), "" + seqs);
    return "";
  }

  private static int seq(Payload item) {
    String text = item.getDataUtf8();
    String digits = text.replaceFirst(".*\"seq\":\\s*", "").replaceFirst("\\D.*", "");
    return Integer.parseInt(digits);
  }

  private static Flux<Payload> texts(String... texts) {
    return Flux.fromArray(texts).map(DefaultPayload::create);
  }

  private String channel() throws Exception {
    connect();
    Flux<Payload> outbound =
        Flux.concat(Mono.fromSupplier(() -> to("debug.echo", "a")), texts("b", "c", "d", "e"));
    Inbound inbound = new Inbound(2);
    socket.requestChannel(outbound).subscribe(inbound);
    List<String> received = new ArrayList<>(inbound.take(2));
    inbound.request(100);
    received.addAll(inbound.take(3));
    inbound.completion();
    check(received.equals(List.of("a", "b", "c", "d", "e")), "" + received);
    return "";
  }

  private String responderEndsFirst() throws Exception {
    connect();
    CountDownLatch release = new CountDownLatch(1);
    CountDownLatch sent = new CountDownLatch(1);
    Flux<Payload> rest = texts("b", "c", "d", "e").doOnComplete(sent::countDown);
    Inbound inbound = new Inbound(100);
    socket
        .requestChannel(
            Flux.concat(
                Mono.fromSupplier(() -> to("debug.first", "a")), after(release).thenMany(rest)))
        .subscribe(inbound);
    inbound.take(1);
    inbound.completion();
    release.countDown();
    check(sent.await(LIMIT.toSeconds(), TimeUnit.SECONDS), "the rest was not asked for");
    return "";
  }

  private static Mono<Void> after(CountDownLatch latch) {
    return Mono.<Void>fromCallable(
            () -> {
              latch.await(LIMIT.toSeconds(), TimeUnit.SECONDS);
              return null;
            })
        .subscribeOn(reactor.core.scheduler.Schedulers.boundedElastic());
  }

  private String responderCancels() throws Exception {
    connect();
    CountDownLatch cancelled = new CountDownLatch(1);
    Flux<Payload> outbound =
        Flux.concat(Mono.fromSupplier(() -> to("debug.drop", "a")), Flux.never());
    Inbound inbound = new Inbound(100);
    socket.requestChannel(outbound.doOnCancel(cancelled::countDown)).subscribe(inbound);
    inbound.take(3);
    inbound.completion();
    check(cancelled.await(LIMIT.toSeconds(), TimeUnit.SECONDS), "not cancelled");
    return "";
  }

  private String fireAndForget() throws Exception {
    connect();
    long before = sinkCount();
    for (int i = 0; i < 20; i++) socket.fireAndForget(to("debug.sink", "x")).block(LIMIT);
    for (int tries = 0; tries < 50 && sinkCount() < before + 20; tries++) Thread.sleep(20);
    long counted = sinkCount() - before;
    check(counted == 20, counted + " of 20 were counted");
    return "";
  }

  private long sinkCount() {
    return Long.parseLong(request(to("debug.sink.count", "")).getDataUtf8());
  }

  private String metadataPush() {
    connect();
    CompositeByteBuf metadata = Unpooled.compositeBuffer();
    add(metadata, "text/plain", Unpooled.copiedBuffer("news", StandardCharsets.UTF_8));
    socket.metadataPush(DefaultPayload.create(Unpooled.EMPTY_BUFFER, metadata)).block(LIMIT);
    return works();
  }

  private String credit() throws Exception {
    connect();
    Inbound inbound = new Inbound(5);
    socket.requestStream(to("debug.count", "{}")).subscribe(inbound);
    inbound.take(5);
    Thread.sleep(QUIET.toMillis());
    check(inbound.items.isEmpty(), "more than five came");
    inbound.request(3);
    inbound.take(3);
    Thread.sleep(QUIET.toMillis());
    check(inbound.items.isEmpty(), "more than eight came");
    inbound.cancel();
    return "";
  }

  private String cancel() throws Exception {
    connect();
    Inbound inbound = new Inbound(1_000_000);
    socket.requestStream(to("debug.count", "{\"every_ms\":5}")).subscribe(inbound);
    inbound.take(5);
    inbound.cancel();
    inbound.items.clear();
    Thread.sleep(QUIET.toMillis());
    check(inbound.items.size() <= 1, "items came after cancel");
    return works();
  }

  private String error() {
    connect();
    try {
      request(to("no.such.route", ""));
    } catch (InvalidException expected) {
      return works();
    }
    throw new AssertionError("an unknown route was answered");
  }

  private String large(int mtu) {
    connect(COMPOSITE, mtu, Duration.ofSeconds(10), Duration.ofSeconds(60));
    byte[] data = new byte[3_000_000];
    for (int i = 0; i < data.length; i++) data[i] = (byte) (i * 31 + (i >> 8));
    CompositeByteBuf metadata = Unpooled.compositeBuffer();
    add(metadata, ROUTING, route("debug.echo"));
    echo(metadata, data);
    return "in fragments";
  }

  private String composite() {
    connect();
    CompositeByteBuf metadata = Unpooled.compositeBuffer();
    ByteBuf custom = Unpooled.copiedBuffer("custom type", StandardCharsets.UTF_8);
    add(metadata, "application/vnd.tidegate.first", custom);
    add(metadata, "text/plain", Unpooled.copiedBuffer("well-known", StandardCharsets.UTF_8));
    add(metadata, ROUTING, route("debug.echo"));
    echo(metadata, new byte[] {'x'});
    return "";
  }

  private String routing() {
    connect(ROUTING, 0, Duration.ofSeconds(10), Duration.ofSeconds(60));
    echo(route("debug.echo"), "plain".getBytes(StandardCharsets.UTF_8));
    return "";
  }

  private String keepalive() throws Exception {
    connect(COMPOSITE, 0, Duration.ofMillis(500), Duration.ofSeconds(2));
    String idle = System.getenv().getOrDefault("INTEROP_IDLE_MS", "6000");
    Thread.sleep(Long.parseLong(idle));
    check(!socket.isDisposed(), "closed while idle");
    return works();
  }

  /** Gathers what a stream brings and lets a cell wait for it. */
  private static final class Inbound extends BaseSubscriber<Payload> {
    final BlockingQueue<String> items = new LinkedBlockingQueue<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final long initial;
    private volatile Throwable failure;

    Inbound(long initial) {
      this.initial = initial;
    }

    @Override
    protected void hookOnSubscribe(Subscription subscription) {
      subscription.request(initial);
    }

    @Override
    protected void hookOnNext(Payload item) {
      items.add(item.getDataUtf8());
    }

    @Override
    protected void hookOnComplete() {
      ended.countDown();
    }

    @Override
    protected void hookOnError(Throwable failure) {
      this.failure = failure;
      ended.countDown();
    }

    List<String> take(int count) throws InterruptedException {
      List<String> taken = new ArrayList<>();
      while (taken.size() < count) {
        String item = items.poll(LIMIT.toSeconds(), TimeUnit.SECONDS);
        check(item != null, taken.size() + " items of " + count + ", " + failure);
        taken.add(item);
      }
      return taken;
    }

    void completion() throws InterruptedException {
      check(ended.await(LIMIT.toSeconds(), TimeUnit.SECONDS), "no end");
      check(failure == null, "" + failure);
      check(items.isEmpty(), "more items than expected");
    }
  }
}
