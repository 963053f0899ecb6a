// The formulas of recurrent cells, for part of a row: see Note [Recurrent layers]. For kernel
// sources only.
#pragma once

#include "core/kernels/recurrent.h"
#include "core/kernels/streams.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

constexpr int gates_of(Cell cell) { return cell == Cell::lstm ? 4 : cell == Cell::gru ? 3 : 1; }

// A row of a step from the column that is worked on: pointers may be null where recurrent.h says.
template <class T>
struct CellRow {
  const T* sums;  // u, gates `sums_gate` apart
  int64_t sums_gate;
  T* gates;  // s, and then what is kept; `hidden` apart
  int64_t hidden;
  bool keeps;
  const T* bias;
  T* c;  // lstm's, before and after
  T* entered_c;
  const T* before;  // h
};

// h of n elements, or what is projected to it, goes to put(h, column, lanes).
template <Cell kCell, class T, class Put>
ADJOINT_INLINE void advance(const CellRow<T>& r, int64_t n, const Put& put) {
  using V = Vec<T>;
  for_vectors<V::size>(
      n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
        const auto input = [&](int gate) { return load(r.gates + gate * r.hidden + j, lanes); };
        const auto sum = [&](int gate) { return load(r.sums + gate * r.sums_gate + j, lanes); };
        const auto keep_gate = [&](V x, int gate) {
          if (r.keeps) store(x, r.gates + gate * r.hidden + j, lanes);
        };
        if constexpr (kCell == Cell::lstm) {
          const V i = logistic(input(0) + sum(0)), f = logistic(input(1) + sum(1));
          const V g = tanh(input(2) + sum(2)), o = logistic(input(3) + sum(3));
          const V before = load(r.c + j, lanes), c = fma(f, before, i * g);
          if (r.entered_c != nullptr) store(before, r.entered_c + j, lanes);
          store(c, r.c + j, lanes);
          keep_gate(i, 0);
          keep_gate(f, 1);
          keep_gate(g, 2);
          keep_gate(o, 3);
          put(o * tanh(c), j, lanes);
        } else if constexpr (kCell == Cell::gru) {
          const V reset = logistic(input(0) + sum(0)), z = logistic(input(1) + sum(1));
          V u = sum(2);
          if (r.bias != nullptr) u += load(r.bias + j, lanes);
          const V candidate = tanh(fma(reset, u, input(2))), before = load(r.before + j, lanes);
          keep_gate(reset, 0);
          keep_gate(z, 1);
          keep_gate(candidate, 2);
          keep_gate(u, 3);
          put(fma(z, before - candidate, candidate), j, lanes);
        } else {
          const V x = input(0) + sum(0);
          const V h = kCell == Cell::rnn_tanh ? tanh(x) : select(x < V(0), V(0), x);
          keep_gate(h, 0);
          put(h, j, lanes);
        }
      });
}

template <class T>
struct CellGradient {
  const T* gates;  // kept, `hidden` apart
  int64_t hidden;
  const T *entered, *entered_c;
  T* dc;       // lstm's: of c after the step, then before it
  T* dgates;   // `hidden` apart
  T* dsums;    // what reaches u, `hidden` apart
  T* carried;  // gru's: what reaches h before the step past the gates
};

// dh(column, lanes): of h after the step, or of what is projected to it.
template <Cell kCell, class T, class Load>
ADJOINT_INLINE void retreat(const CellGradient<T>& r, int64_t n, const Load& dh_at) {
  using V = Vec<T>;
  const V one = 1;
  for_vectors<V::size>(
      n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
        const auto gate = [&](int k) { return load(r.gates + k * r.hidden + j, lanes); };
        const auto put = [&](V x, int k, int of_sum) {
          store(x, r.dgates + k * r.hidden + j, lanes);
          if (of_sum >= 0) store(x, r.dsums + of_sum * r.hidden + j, lanes);
        };
        const V dh = dh_at(j, lanes);
        if constexpr (kCell == Cell::lstm) {
          const V i = gate(0), f = gate(1), g = gate(2), o = gate(3);
          const V before = load(r.entered_c + j, lanes), t = tanh(fma(f, before, i * g));
          const V dc = fma(dh * o, one - t * t, load(r.dc + j, lanes));
          store(dc * f, r.dc + j, lanes);
          put(dc * g * i * (one - i), 0, 0);
          put(dc * before * f * (one - f), 1, 1);
          put(dc * i * (one - g * g), 2, 2);
          put(dh * t * o * (one - o), 3, 3);
        } else if constexpr (kCell == Cell::gru) {
          const V reset = gate(0), z = gate(1), candidate = gate(2), u = gate(3);
          const V before = load(r.entered + j, lanes);
          const V dn = dh * (one - z) * (one - candidate * candidate);
          store(dh * z, r.carried + j, lanes);
          put(dn * u * reset * (one - reset), 0, 0);
          put(dh * (before - candidate) * z * (one - z), 1, 1);
          put(dn, 2, -1);
          put(dn * reset, 3, 2);
        } else {
          const V h = gate(0);
          put(kCell == Cell::rnn_tanh ? dh * (one - h * h) : select(h > V(0), dh, V(0)), 0, 0);
        }
      });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
