# The built-in detectors against a host in memory.
lapwing_test(NAME detectors_test APART
  SOURCES
    unit/detector_adjacency_test.cc
    unit/detector_event_id_test.cc
    unit/detector_new_upstream_test.cc
    unit/detector_path_change_test.cc
    unit/detector_restart_test.cc
    unit/detector_sightings_test.cc
    unit/detector_star_jv_test.cc
    unit/detector_storm_test.cc
  LIBS lapwing_detectors)
