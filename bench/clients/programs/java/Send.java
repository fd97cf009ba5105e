import io.opentelemetry.api.trace.Span;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * Sends one span for each line of standard input, all at once, each with an exporter of its own, and says what the
 * exporter told the SDK. A line is: span's name, `grpc` or `http/protobuf`, endpoint, bytes of an attribute,
 * key; an answer: span's name, `success` or `failure`. It says `ready` when it reads. Compression, headers and certificate are set, since builders read
 * no environment; all else is the SDK's own default.
 */
public final class Send {
  public static void main(String[] args) throws Exception {
    List<Thread> threads = new ArrayList<>();
    System.out.println("ready");
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      String[] words = line.split("\t");
      Thread thread = new Thread(() -> send(words));
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join();
    // The senders' idle threads would hold the process for a minute.
    System.exit(0);
  }

  private static void send(String[] words) {
    try {
      HeardExporter exporter = new HeardExporter(createExporter(words[1], words[2], words[4]));
      BatchSpanProcessor batches = BatchSpanProcessor.builder(exporter).setScheduleDelay(Duration.ofMillis(100)).build();
      SdkTracerProvider tracers = SdkTracerProvider.builder().addSpanProcessor(batches).build();
      Span span = tracers.get("clients").spanBuilder(words[0]).startSpan();
      span.setAttribute("note", "compressible ".repeat(100));
      int bytes = Integer.parseInt(words[3]);
      if (bytes > 0) {
        byte[] random = new byte[bytes / 2];
        new SecureRandom().nextBytes(random);
        span.setAttribute("padding", HexFormat.of().formatHex(random));
      }
      span.end();
      boolean success = exporter.await();
      System.out.println(words[0] + "\t" + (success ? "success" : "failure"));
      tracers.shutdown();
    } catch (IOException | InterruptedException fault) {
      throw new IllegalStateException(fault);
    }
  }

  private static SpanExporter createExporter(String protocol, String endpoint, String key) throws IOException {
    byte[] ca = Files.readAllBytes(Path.of(System.getenv("OTEL_EXPORTER_OTLP_CERTIFICATE")));
    if (protocol.equals("grpc")) {
      return OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).addHeader("x-api-key", key)
          .setCompression("gzip").setTrustedCertificates(ca).build();
    }
    return OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").addHeader("x-api-key", key)
        .setCompression("gzip").setTrustedCertificates(ca).build();
  }

  /** Stands between the SDK and its exporter and hears the result. */
  private static final class HeardExporter implements SpanExporter {
    private final SpanExporter exporter;
    private final CountDownLatch exported = new CountDownLatch(1);
    private volatile boolean success;

    HeardExporter(SpanExporter exporter) {
      this.exporter = exporter;
    }

    boolean await() throws InterruptedException {
      exported.await();
      return success;
    }

    @Override
    public CompletableResultCode export(Collection<SpanData> spans) {
      CompletableResultCode result = exporter.export(spans);
      result.whenComplete(() -> {
        success = result.isSuccess();
        exported.countDown();
      });
      return result;
    }

    @Override
    public CompletableResultCode flush() {
      return exporter.flush();
    }

    @Override
    public CompletableResultCode shutdown() {
      return exporter.shutdown();
    }
  }
}
