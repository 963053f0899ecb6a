# What find_package(adjoint) reads: adjoint::adjoint, and adjoint::core, nn, optim, data, models.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/adjoint-targets.cmake)
