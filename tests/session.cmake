lapwing_test(NAME fsm_test SOURCES rfc/fsm_table.cc LIBS lapwing_wire)
lapwing_test(NAME session_test
  SOURCES
    unit/session_peer.cc
    unit/session_lifecycle.cc
    unit/session_collision.cc
    unit/session_speaker.cc
    unit/session_sockets.cc
    unit/session_vectors.cc
  LIBS lapwing_session Boost::json)
# Waits for real timers: a program of its own, so that ctest runs it beside the others.
lapwing_test(NAME session_pressure_test
  SOURCES
    unit/session_peer.cc
    unit/session_pressure.cc
  LIBS lapwing_session)
# Malformed messages against live sessions: vectors of others and the matrix of our own.
find_package(ZLIB REQUIRED)
lapwing_test(NAME live_test
  SOURCES
    unit/session_peer.cc
    rfc/live_session.cc
    rfc/vector_rows.cc
    rfc/vectors_live_test.cc
    rfc/corruption_test.cc
  LIBS lapwing_session Boost::json ZLIB::ZLIB)

# Captures of others against tshark.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_executable(message_dump unit/message_dump.cc)
target_link_libraries(message_dump PRIVATE lapwing_wire)
add_test(NAME interop_captures
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/interop/captures.py
    --dump $<TARGET_FILE:message_dump>)
set_tests_properties(interop_captures PROPERTIES LABELS interop TIMEOUT 240 SKIP_RETURN_CODE 77
  ENVIRONMENT "LAPWING_SHARED_DATA=${PROJECT_SOURCE_DIR}/../shared/data")
