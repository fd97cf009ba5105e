"""Sends one span for each line of standard input, all at once, each with an exporter of its own, and says what the
exporter told the SDK. A line is: span's name, `grpc` or `http/protobuf`, endpoint, bytes of an attribute, key;
an answer: span's name, `success` or `failure`. It says `ready` when it reads. Beyond the exporter's headers all settings are the SDK's own defaults.
"""

import secrets
import sys
import threading

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class HeardExporter(SpanExporter):
    """Stands between the SDK and its exporter and hears the result."""

    def __init__(self, exporter):
        self.exporter = exporter
        self.exported = threading.Event()
        self.result = None

    def export(self, spans):
        self.result = self.exporter.export(spans)
        self.exported.set()
        return self.result

    def shutdown(self):
        self.exporter.shutdown()


def create_exporter(protocol, endpoint, key):
    if protocol == "grpc":
        return GrpcSpanExporter(endpoint=endpoint, headers=(("x-api-key", key),))
    return HttpSpanExporter(endpoint=f"{endpoint}/v1/traces", headers={"x-api-key": key})


def send(name, protocol, endpoint, size, key):
    exporter = HeardExporter(create_exporter(protocol, endpoint, key))
    tracers = TracerProvider(resource=Resource({"service.name": "clients-python"}))
    tracers.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=100))
    span = tracers.get_tracer("clients").start_span(name, attributes={"note": "compressible " * 100})
    if int(size) > 0:
        span.set_attribute("padding", secrets.token_hex(int(size) // 2))
    span.end()
    exporter.exported.wait()
    told = "success" if exporter.result is SpanExportResult.SUCCESS else "failure"
    sys.stdout.write(f"{name}\t{told}\n")
    sys.stdout.flush()
    tracers.shutdown()


sys.stdout.write("ready\n")
sys.stdout.flush()
threads = [threading.Thread(target=send, args=line.rstrip("\n").split("\t")) for line in sys.stdin]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
