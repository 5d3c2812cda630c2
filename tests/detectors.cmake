# The built-in detectors against a host in memory.
lapwing_test(NAME detectors_test
  SOURCES
    unit/detector_adjacency_test.cc
    unit/detector_event_id_test.cc
    unit/detector_findings_test.cc
    unit/detector_new_upstream_test.cc
    unit/detector_origin_change_test.cc
    unit/detector_past_origins_test.cc
    unit/detector_path_change_test.cc
    unit/detector_peer_state_test.cc
    unit/detector_prefix_flap_test.cc
    unit/detector_prefix_watch_test.cc
    unit/detector_restart_test.cc
    unit/detector_sightings_test.cc
    unit/detector_star_jv_test.cc
    unit/detector_storm_test.cc
    unit/detector_suppression_test.cc
    unit/detector_visibility_test.cc
  LIBS lapwing_detectors)

# Plugins: shared objects as an outsider builds them, with nothing but the public header.
function(lapwing_test_plugin NAME SOURCE)
  add_library(${NAME} MODULE plugins/${SOURCE})
  set_target_properties(${NAME} PROPERTIES
    PREFIX "" OUTPUT_NAME ${NAME} LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/plugins
    C_STANDARD 99 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF UNITY_BUILD OFF)
  target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR}/include)
  target_compile_options(${NAME} PRIVATE -Wall -Wextra -Wpedantic)
  add_dependencies(detector_plugins ${NAME})
endfunction()

add_custom_target(detector_plugins)
lapwing_test_plugin(long_prefix long_prefix.c)
lapwing_test_plugin(quiet_peer quiet_peer.cc)
lapwing_test_plugin(hostile hostile.c)
lapwing_test_plugin(hostile_routes hostile.c)
target_compile_definitions(hostile_routes PRIVATE ROUTES=9)
lapwing_test_plugin(slow slow.c)
target_compile_definitions(slow PRIVATE _POSIX_C_SOURCE=200809L)
foreach(how no_symbol wrong_abi crash ends no_create refuses smaller)
  string(TOUPPER ${how} define)
  lapwing_test_plugin(broken_${how} broken.c)
  target_compile_definitions(broken_${how} PRIVATE BROKEN=${define} _POSIX_C_SOURCE=200809L)
endforeach()

lapwing_test(NAME plugin_test
  SOURCES unit/detector_plugin_test.cc
  LIBS lapwing_detectors)
target_compile_definitions(plugin_test PRIVATE
  LAPWING_PLUGINS="${CMAKE_CURRENT_BINARY_DIR}/plugins")
add_dependencies(plugin_test detector_plugins)
