"""Sends one trace (two spans), two log records and five metrics, then says what was sent as one line of JSON.

  OTEL_EXPORTER_OTLP_PROTOCOL     grpc or http/protobuf
  OTEL_EXPORTER_OTLP_ENDPOINT     https://localhost:4317 (grpc) or https://localhost:4318 (http/protobuf)
  OTEL_EXPORTER_OTLP_CERTIFICATE  the CA that signed Weir's certificate
  OTEL_EXPORTER_OTLP_HEADERS      x-api-key=YOUR-KEY

The exporters read the last three themselves; nothing here is special to Weir.
"""

import json
import os

from opentelemetry._logs import SeverityNumber
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

RUN = os.environ.get("DEMO_RUN", "demo")
RESOURCE = Resource(
    {
        "service.name": "checkout-python",
        "service.version": "1.2.3",
        "deployment.environment.name": "demo",
        "demo.run": RUN,
    }
)

tracers = TracerProvider(resource=RESOURCE)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
loggers = LoggerProvider(resource=RESOURCE)
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
meters = MeterProvider(
    resource=RESOURCE,
    metric_readers=[PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=60_000)],
    views=[
        View(instrument_name="checkout.size", aggregation=ExponentialBucketHistogramAggregation()),
        View(
            instrument_name="checkout.duration",
            aggregation=ExplicitBucketHistogramAggregation(boundaries=[100, 500, 1000]),
        ),
    ],
)


def send_trace():
    tracer = tracers.get_tracer("demo-tracer", "0.1.0")
    parent = tracer.start_span(
        "GET /checkout",
        kind=SpanKind.SERVER,
        attributes={
            "http.request.method": "GET",
            "http.response.status_code": 500,
            "cart.total": 12.5,
            "cart.gift": True,
        },
    )
    child = tracer.start_span(
        "charge card",
        context=set_span_in_context(parent),
        kind=SpanKind.CLIENT,
        attributes={"card.tries": [1, 2, 3]},
        links=[Link(parent.get_span_context(), {"reason": "retry"})],
    )
    child.add_event("declined", {"code": "insufficient_funds"})
    child.set_status(Status(StatusCode.ERROR, "card declined"))
    child.end()
    parent.end()
    return parent, child


def send_logs(within):
    logger = loggers.get_logger("demo-logger", "0.1.0")
    logger.emit(
        severity_number=SeverityNumber.INFO,
        severity_text="INFO",
        body="checkout started",
        attributes={"cart.items": 3},
    )
    logger.emit(
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body="card declined",
        event_name="payment.declined",
        attributes={"card.last4": "4242"},
        context=within,
    )


def read_load(_options: CallbackOptions):
    yield Observation(42)


def send_metrics():
    meter = meters.get_meter("demo-meter", "0.1.0")
    ok = {"result": "ok"}
    meter.create_counter("checkout.count", unit="{checkout}", description="Checkouts.").add(7, ok)
    meter.create_up_down_counter("checkout.open", unit="{checkout}").add(-2, ok)
    meter.create_observable_gauge("checkout.load", unit="%", callbacks=[read_load])
    duration = meter.create_histogram("checkout.duration", unit="ms", description="How long it took.")
    for ms in (50, 250, 2000):
        duration.record(ms, ok)
    size = meter.create_histogram("checkout.size", unit="By")
    for size_bytes in (1, 2, 4, 8):
        size.record(size_bytes)


parent_span, child_span = send_trace()
send_logs(set_span_in_context(child_span))
send_metrics()
tracers.shutdown()
loggers.shutdown()
meters.shutdown()
print(
    json.dumps(
        {
            "run": RUN,
            "service": "checkout-python",
            "traceId": f"{parent_span.get_span_context().trace_id:032x}",
            "parentSpanId": f"{parent_span.get_span_context().span_id:016x}",
            "childSpanId": f"{child_span.get_span_context().span_id:016x}",
        }
    )
)
