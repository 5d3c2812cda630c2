# Death at any moment: of the process, and of the machine's power. Engine, detectors, store, journal
# and a sink, compared with the same engine in memory.
add_library(lapwing_crash STATIC crash/feed.cc crash/model.cc crash/run.cc)
target_include_directories(lapwing_crash PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(lapwing_crash PUBLIC
  lapwing_engine lapwing_store lapwing_detectors lapwing_sinks)

lapwing_test(NAME kill_test SOURCES crash/kill_test.cc LIBS lapwing_crash)
# 200 kills want a plain build; with sanitizers there are 40.
set_tests_properties(kill_test PROPERTIES LABELS crash TIMEOUT 900)

lapwing_test(NAME power_test
  SOURCES crash/power_fs.cc crash/power_test.cc
  LIBS lapwing_crash RocksDB::rocksdb)
lapwing_test(NAME full_disk_test
  SOURCES crash/full_disk_test.cc
  LIBS lapwing_crash RocksDB::rocksdb)
set_tests_properties(full_disk_test PROPERTIES LABELS crash)
lapwing_test(NAME damage_test SOURCES crash/damage_test.cc LIBS lapwing_store)
lapwing_test(NAME format_test SOURCES crash/format_test.cc LIBS lapwing_store RocksDB::rocksdb)
target_compile_definitions(format_test PRIVATE
  LAPWING_TEST_DATA="${CMAKE_CURRENT_SOURCE_DIR}/data")
