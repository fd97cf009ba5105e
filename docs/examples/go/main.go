// Sends a span, a log record and a counter over OTLP/gRPC.
// The exporters read OTEL_EXPORTER_OTLP_ENDPOINT, _HEADERS and _CERTIFICATE themselves.
package main

import (
	"context"
	"fmt"
	"log"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	otellog "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	ctx := context.Background()
	traces, err := otlptracegrpc.New(ctx)
	check(err)
	logs, err := otlploggrpc.New(ctx)
	check(err)
	metrics, err := otlpmetricgrpc.New(ctx)
	check(err)

	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(traces))
	loggers := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)))
	meters := metric.NewMeterProvider(metric.WithReader(metric.NewPeriodicReader(metrics)))

	_, span := tracers.Tracer("demo-tracer").Start(ctx, "GET /checkout")
	span.End()

	var record otellog.Record
	record.SetSeverity(otellog.SeverityInfo)
	record.SetSeverityText("INFO")
	record.SetBody(attribute.StringValue("checkout started"))
	loggers.Logger("demo-logger").Emit(ctx, record)

	counter, err := meters.Meter("demo-meter").Int64Counter("checkout.count")
	check(err)
	counter.Add(ctx, 7)

	check(tracers.Shutdown(ctx))
	check(loggers.Shutdown(ctx))
	check(meters.Shutdown(ctx))
	fmt.Println(span.SpanContext().TraceID())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
