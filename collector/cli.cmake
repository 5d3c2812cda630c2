# Configuration, command line, client and log of `lapwing`.
add_library(lapwing_cli STATIC
  ${CMAKE_CURRENT_LIST_DIR}/check_machine.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_offline.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_parse.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_query.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_words.cc
  ${CMAKE_CURRENT_LIST_DIR}/client.cc
  ${CMAKE_CURRENT_LIST_DIR}/config.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_changes.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_neighbor.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_reader.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_record.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_settings.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_speaker.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_text.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_toml.cc
  ${CMAKE_CURRENT_LIST_DIR}/log.cc
  ${CMAKE_CURRENT_LIST_DIR}/show.cc
  ${CMAKE_CURRENT_LIST_DIR}/show_json.cc
  ${CMAKE_CURRENT_LIST_DIR}/show_more.cc
  ${CMAKE_CURRENT_LIST_DIR}/show_table.cc)
target_include_directories(lapwing_cli PUBLIC ${PROJECT_SOURCE_DIR})
# Headers only: toml++ is compiled into config_toml.cc, its shared library is not needed.
target_include_directories(lapwing_cli SYSTEM PRIVATE
  $<TARGET_PROPERTY:tomlplusplus::tomlplusplus,INTERFACE_INCLUDE_DIRECTORIES>)
target_link_libraries(lapwing_cli
  PUBLIC lapwing_api fmt::fmt
  PRIVATE lapwing_session lapwing_sinks Boost::headers Boost::json CLI11::CLI11 OpenSSL::SSL
  OpenSSL::Crypto Threads::Threads)
# Each of these brings a library of templates and short names of its own.
set_source_files_properties(
  ${CMAKE_CURRENT_LIST_DIR}/cli_offline.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_parse.cc
  ${CMAKE_CURRENT_LIST_DIR}/cli_query.cc
  ${CMAKE_CURRENT_LIST_DIR}/client.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_toml.cc
  PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
