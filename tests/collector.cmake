# Configuration, command line and client.
if(NOT TARGET lapwing_cli)
  include(${PROJECT_SOURCE_DIR}/collector/cli.cmake)
endif()

lapwing_test(NAME config_test
  SOURCES
    unit/check_machine.cc
    unit/config_changes.cc
    unit/config_diagnostics.cc
    unit/config_good.cc
    unit/config_record.cc
    unit/config_text.cc
  LIBS lapwing_cli)
target_compile_definitions(config_test PRIVATE
  LAPWING_EXAMPLE_CONFIG="${PROJECT_SOURCE_DIR}/systemd/lapwing.toml.example")

lapwing_test(NAME cli_test
  SOURCES
    unit/cli_client.cc
    unit/cli_log.cc
    unit/cli_parse.cc
    unit/cli_run.cc
    unit/cli_show.cc
  LIBS lapwing_cli Boost::headers Threads::Threads)

lapwing_test(NAME service_test
  SOURCES unit/service_test.cc
  LIBS lapwing_collector)
