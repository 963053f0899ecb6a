// Windows as columns and back: movement of memory, row by row of the output. For kernel sources
// only.
#pragma once

#include "core/kernels/conv_padded.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f(row of the input or nullptr, row of the columns, first element of that row) for each row
// of the columns of one channel and each position (d, h) of the output.
template <class E, class F>
void each_window_row(const Windows& w, int64_t channel, F f) {
  const ConvShape& s = w.shape;
  E* const in = static_cast<E*>(w.in) + channel * s.in[0] * s.in[1] * s.in[2];
  E* to = static_cast<E*>(w.columns) + channel * taps_of(s) * positions_of_image(s);
  for (int64_t t = 0; t < taps_of(s); ++t) {
    const int64_t kw = t % s.kernel[2], kh = t / s.kernel[2] % s.kernel[1];
    const int64_t kd = t / s.kernel[2] / s.kernel[1];
    const Inside inside(s, 0, kw * s.dilation[2], s.out[2]);
    for (int64_t d = 0; d < s.out[0]; ++d) {
      const int64_t at_d = d * s.stride[0] - s.padding[0] + kd * s.dilation[0];
      for (int64_t h = 0; h < s.out[1]; ++h, to += s.out[2]) {
        const int64_t at_h = h * s.stride[1] - s.padding[1] + kh * s.dilation[1];
        const bool there = at_d >= 0 && at_d < s.in[0] && at_h >= 0 && at_h < s.in[1];
        f(there ? in + (at_d * s.in[1] + at_h) * s.in[2] : nullptr, to, inside);
      }
    }
  }
}

template <class E>
void unfold_task(void* context, int64_t channel) {
  const Windows& w = *static_cast<Windows*>(context);
  const int64_t stride = w.shape.stride[2], size = w.shape.out[2];
  each_window_row<E>(w, channel, [&](const E* in, E* to, const Inside& inside) {
    const int64_t first = in != nullptr ? inside.first : 0, last = in != nullptr ? inside.last : 0;
    for (int64_t i = 0; i < first; ++i) to[i] = 0;
    for (int64_t i = first; i < last; ++i) to[i] = in[inside.from + i * stride];
    for (int64_t i = last; i < size; ++i) to[i] = 0;
  });
}

template <class T>
void fold_task(void* context, int64_t channel) {
  const Windows& w = *static_cast<Windows*>(context);
  const int64_t size = w.shape.in[0] * w.shape.in[1] * w.shape.in[2];
  const int64_t stride = w.shape.stride[2];
  fill_zeros(static_cast<T*>(w.in) + channel * size, size);
  each_window_row<T>(w, channel, [&](T* in, const T* to, const Inside& inside) {
    if (in == nullptr) return;
    for (int64_t i = inside.first; i < inside.last; ++i) in[inside.from + i * stride] += to[i];
  });
}

template <class E>
void unfold(const Exec& exec, const Windows& w) {
  Windows windows = w;
  run_tasks(exec, w.shape.batch * w.shape.in_channels, unfold_task<E>, &windows);
}
template <class T>
void fold(const Exec& exec, const Windows& w) {
  Windows windows = w;
  run_tasks(exec, w.shape.batch * w.shape.in_channels, fold_task<T>, &windows);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
