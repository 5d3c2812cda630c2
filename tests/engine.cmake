lapwing_test(NAME engine_test
  SOURCES unit/rib_tables_test.cc unit/attribute_packer_test.cc unit/rib_engine_test.cc
          unit/rib_engine_calls_test.cc unit/rib_engine_commits_test.cc
          unit/rib_engine_detectors_test.cc unit/rib_engine_limits_test.cc
          unit/rib_engine_neighbors_test.cc
  LIBS lapwing_engine)

lapwing_test(NAME restart_equality_test
  SOURCES unit/restart_equality_test.cc
  LIBS lapwing_engine lapwing_detectors lapwing_sinks)
