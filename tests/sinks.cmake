lapwing_test(NAME sinks_test
  SOURCES
    unit/sink_filter_test.cc
    unit/sink_journald_test.cc
    unit/sink_json_test.cc
    unit/sink_jsonl_test.cc
    unit/sink_runner_test.cc
    unit/sink_syslog_format_test.cc
    unit/sink_syslog_test.cc
    unit/sink_syslog_tls_test.cc
    unit/sink_webhook_test.cc
  LIBS lapwing_sinks Boost::json OpenSSL::SSL OpenSSL::Crypto)

# The source of events for the interop tests of the sinks.
add_executable(sink_feed interop/sink_feed.cc)
target_link_libraries(sink_feed PRIVATE lapwing_sinks lapwing_store fmt::fmt)
target_include_directories(sink_feed PRIVATE ${PROJECT_SOURCE_DIR})

# The HTTP API has a program of its own: it needs no clock but its time limits.
lapwing_test(NAME http_test
  SOURCES
    unit/sink_console_test.cc
    unit/sink_http_api_test.cc
    unit/sink_http_test.cc
    unit/sink_metrics_test.cc
    unit/sink_ris_socket_test.cc
    unit/sink_ris_test.cc
  LIBS lapwing_sinks Boost::json OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB)
target_compile_definitions(http_test PRIVATE LAPWING_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
set_tests_properties(http_test PROPERTIES LABELS timing)
