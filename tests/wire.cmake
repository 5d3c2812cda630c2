# The BGP codec: unit tests, tests by RFC and section, and vectors of others.
lapwing_test(NAME wire_test
  SOURCES
    unit/wire_as_path_test.cc
    unit/wire_message_test.cc
    unit/wire_nlri_test.cc
    unit/wire_notification_test.cc
    unit/wire_open_test.cc
    unit/wire_update_test.cc
  LIBS lapwing_wire)

find_package(ZLIB REQUIRED)
lapwing_test(NAME rfc_test
  SOURCES
    rfc/incidents_test.cc
    rfc/rfc4271_test.cc
    rfc/rfc4760_test.cc
    rfc/rfc6793_test.cc
    rfc/rfc7606_test.cc
    rfc/vector_rows.cc
    rfc/vectors_test.cc
  LIBS lapwing_wire Boost::json ZLIB::ZLIB)
