# Tests that are not GoogleTest's: the rules of the tree, its scripts, the READMEs' code, what
# benchmarks/compare makes of two sides' rows, the instruction sets that the machine would not
# choose, and a consumer's build.

add_test(NAME lint COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tools/lint_test
                           ${PROJECT_SOURCE_DIR}/tools/lint)

if(TARGET train_gpt AND TARGET adjoint_cli)
  add_test(NAME scripts COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tools/scripts_test
                                ${PROJECT_SOURCE_DIR}/tools $<TARGET_FILE:train_gpt>
                                $<TARGET_FILE:adjoint_cli>)
endif()

# What benchmarks/compare makes of rows; it needs Python and neither side.
find_package(Python3 3.8 QUIET COMPONENTS Interpreter)
if(Python3_Interpreter_FOUND)
  add_test(NAME compare COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tools/compare_test
                                ${PROJECT_SOURCE_DIR})
else()
  message(STATUS "Python was not found: benchmarks/compare is not tested")
endif()

# Every ```cpp block of every README compiles; those of the top README that are programs run.
if(TARGET train_gpt)
  file(GLOB_RECURSE readmes CONFIGURE_DEPENDS RELATIVE ${PROJECT_SOURCE_DIR}
       ${PROJECT_SOURCE_DIR}/core/README.md ${PROJECT_SOURCE_DIR}/nn/README.md
       ${PROJECT_SOURCE_DIR}/optim/README.md ${PROJECT_SOURCE_DIR}/data/README.md
       ${PROJECT_SOURCE_DIR}/models/README.md ${PROJECT_SOURCE_DIR}/tests/README.md
       ${PROJECT_SOURCE_DIR}/benchmarks/README.md ${PROJECT_SOURCE_DIR}/tools/README.md)
  if(EXISTS ${PROJECT_SOURCE_DIR}/README.md)
    list(PREPEND readmes README.md)
  endif()
  set(blocks_dir ${CMAKE_CURRENT_BINARY_DIR}/readme)
  foreach(readme ${readmes})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${readme})
    if(readme STREQUAL "README.md")
      set(prefix readme_top)
    else()
      string(REGEX REPLACE "/README.md$" "" prefix readme_${readme})
      string(REPLACE "/" "_" prefix ${prefix})
    endif()
    execute_process(COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tools/extract_cpp
                            ${PROJECT_SOURCE_DIR}/${readme} ${blocks_dir} ${prefix}
                    OUTPUT_VARIABLE blocks OUTPUT_STRIP_TRAILING_WHITESPACE
                    COMMAND_ERROR_IS_FATAL ANY)
    string(REPLACE "\n" ";" blocks "${blocks}")
    foreach(block ${blocks})
      get_filename_component(name ${block} NAME_WE)
      file(STRINGS ${block} main REGEX "^int main\\(")
      if(main)
        adjoint_executable(${name} SOURCES ${block} LINK adjoint)
        set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${blocks_dir})
        if(prefix STREQUAL "readme_top")
          add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${blocks_dir})
          set_tests_properties(${name} PROPERTIES TIMEOUT 120)
        endif()
      else()
        add_library(${name} OBJECT ${block})
        adjoint_compile_options(${name})
        target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
        target_link_libraries(${name} PRIVATE adjoint)
      endif()
    endforeach()
  endforeach()
endif()

# The core on the instruction sets that this machine has but would not choose.
if(TARGET test_core)
  foreach(isa scalar neon avx2 avx512 amx)
    add_test(NAME core_on_${isa} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/tools/on_isa ${isa}
                                         $<TARGET_FILE:test_core> --gtest_brief=1)
    set_tests_properties(core_on_${isa} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
  endforeach()
endif()

add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
add_subdirectory(${CMAKE_CURRENT_SOURCE_DIR}/interop)

# The files that a user's build sees; tools/check builds and runs it too.
add_test(NAME consumer_configures
         COMMAND ${CMAKE_COMMAND} -S ${CMAKE_CURRENT_SOURCE_DIR}/consumer
                 -B ${CMAKE_CURRENT_BINARY_DIR}/consumer -G ${CMAKE_GENERATOR}
                 -DADJOINT_SOURCE=${PROJECT_SOURCE_DIR}
                 -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER})
if(ADJOINT_INSTALL AND NOT ADJOINT_SANITIZE)
  add_test(NAME consumer_of_what_is_installed
           COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/consumer/installed_test ${CMAKE_COMMAND}
                   ${CMAKE_BINARY_DIR} ${CMAKE_CXX_COMPILER})
endif()
