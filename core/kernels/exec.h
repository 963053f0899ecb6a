// How a kernel reaches threads and memory: a plain struct of function pointers, so that kernels
// include nothing of the library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adjoint::kernels {

struct Exec {
  // Calls body(context, task) for every task in [0, tasks), on several threads where that helps, in
  // any order and at once; returns when all are done. Which task does which work must depend on
  // shapes only, never on the number of threads: that is what makes the bits reproducible.
  void (*parallel_for)(int64_t tasks, void (*body)(void* context, int64_t task), void* context);

  // Memory for the length of the kernel, aligned to 64 bytes; from the caching allocator.
  // nullptr only for 0 bytes. Throws where memory ends: a kernel calls it before it starts tasks,
  // never inside a task.
  void* (*acquire)(size_t bytes);
  void (*release)(void* memory);

  // The threads that parallel_for may use: for choosing tile shapes whose choice leaves the bits
  // alone (rows and columns of a product), never the order of a sum.
  int threads;

  // The second-level cache of one core, for choosing how much of C to work on at a time; like
  // `threads`, never for the order of a sum.
  int64_t l2_bytes;

  // Results of so many bytes and more are written around the caches (streams.h), which changes no
  // bit.
  int64_t stream_bytes = int64_t{8} << 20;
};

}  // namespace adjoint::kernels
