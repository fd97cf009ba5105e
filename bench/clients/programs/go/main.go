// Sends one span for each line of standard input, all at once, each with an exporter of its own, and says what the exporter
// told the SDK. A line is: span's name, `grpc` or `http/protobuf`, endpoint, bytes of an attribute, key; an
// answer: span's name, `success` or `failure`. It says `ready` when it reads. Beyond the exporter's headers all settings are the SDK's own defaults.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// heard stands between the SDK and its exporter and hears the result.
type heard struct {
	sdktrace.SpanExporter
	exported chan error
}

func (h heard) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := h.SpanExporter.ExportSpans(ctx, spans)
	h.exported <- err
	return err
}

func createExporter(ctx context.Context, protocol, endpoint, key string) (sdktrace.SpanExporter, error) {
	headers := map[string]string{"x-api-key": key}
	if protocol == "grpc" {
		return otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(endpoint), otlptracegrpc.WithHeaders(headers))
	}
	return otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"), otlptracehttp.WithHeaders(headers))
}

func send(words []string) {
	ctx := context.Background()
	exporter, err := createExporter(ctx, words[1], words[2], words[4])
	check(err)
	wrapped := heard{exporter, make(chan error, 1)}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(wrapped, sdktrace.WithBatchTimeout(100*time.Millisecond)))
	_, span := tracers.Tracer("clients").Start(ctx, words[0])
	span.SetAttributes(attribute.String("note", strings.Repeat("compressible ", 100)))
	if bytes := number(words[3]); bytes > 0 {
		random := make([]byte, bytes/2)
		_, err := rand.Read(random)
		check(err)
		span.SetAttributes(attribute.String("padding", hex.EncodeToString(random)))
	}
	span.End()
	told := "success"
	if err := <-wrapped.exported; err != nil {
		told = "failure"
	}
	fmt.Printf("%s\t%s\n", words[0], told)
	_ = tracers.Shutdown(ctx)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	var waiting sync.WaitGroup
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Split(lines.Text(), "\t")
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			send(words)
		}()
	}
	waiting.Wait()
}
