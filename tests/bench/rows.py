"""The rows of make bench, in the order in which they are measured."""
from measure_callback import callback
from measure_collector import collector
from measure_incident import cpu_vs_script, kill9, latency, vs_bare_curl
from measure_normalizer import normalizer, normalizer_jq_source, normalizer_sources

ALL = [normalizer, normalizer_sources, normalizer_jq_source, vs_bare_curl, cpu_vs_script, kill9, collector, callback,
       latency]
