import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;

/** Sends a span, a log record and a counter. Everything is configured by the OTEL_* variables. */
public final class Send {
  public static void main(String[] args) {
    try (OpenTelemetrySdk sdk = AutoConfiguredOpenTelemetrySdk.initialize().getOpenTelemetrySdk()) {
      Span span = sdk.getTracer("demo-tracer").spanBuilder("GET /checkout").setSpanKind(SpanKind.SERVER).startSpan();
      span.setAttribute("http.request.method", "GET");
      sdk.getSdkLoggerProvider().get("demo-logger").logRecordBuilder()
          .setSeverity(Severity.INFO).setSeverityText("INFO").setBody("checkout started").emit();
      sdk.getMeter("demo-meter").counterBuilder("checkout.count").build().add(7);
      span.end();
      System.out.println(span.getSpanContext().getTraceId());
    }
  }
}
