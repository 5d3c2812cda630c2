# MRT: the codec by hand-made records, the source by semantics, real files against bgpdump.
if(NOT TARGET lapwing_replay)
  include(${PROJECT_SOURCE_DIR}/collector/replay.cmake)
endif()

lapwing_test(NAME mrt_test
  SOURCES
    unit/mrt_codec_test.cc
    unit/mrt_input_test.cc
    unit/mrt_merge_test.cc
    unit/mrt_record_test.cc
    unit/mrt_source_test.cc
    unit/mrt_table_test.cc
    unit/mrt_hostile_test.cc
  LIBS lapwing_replay)
lapwing_test(NAME mrt_files_test SOURCES unit/mrt_files_test.cc LIBS lapwing_replay)
# Decodes all public files and runs bgpdump beside: minutes under a sanitizer.
set_tests_properties(mrt_files_test PROPERTIES LABELS files)

if(TARGET lapwing_collector)
  lapwing_test(NAME record_test SOURCES unit/record_test.cc LIBS lapwing_collector)
endif()
