#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/slot.h>

#include <atomic>

#include "core/tensor/tensor_impl.h"

namespace adjoint {

namespace detail {
// Shared with the slots, which may outlive the census and die in other threads.
struct CensusCount {
  std::atomic<int64_t> created{0}, destroyed{0};
};
}  // namespace detail

namespace {

thread_local std::shared_ptr<detail::CensusCount> current_census;

const Tensor& require_defined(const Tensor& value) {
  check(value.defined(), "Slot: the value is undefined; expected a tensor with elements");
  return value;
}

// Row-major elements that nobody else sees, without history.
Tensor own(Tensor value) {
  require_defined(value);
  const NoGrad no_grad;
  if (value.impl()->unique() && value.is_contiguous()) return value.detach();
  return value.is_contiguous() ? value.clone() : value.contiguous();
}

// What reading a slot without a value gives.
Tensor no_value(const Tensor&) {
  fail("Parameter: its size is not known yet; call the model once, or materialize(model, example)");
}

}  // namespace

Slot::Slot(Tensor value, Kind kind, bool persistent)
    : kind_(kind), persistent_(persistent), census_(current_census) {
  stored_ = own(std::move(value));
  if (kind == Kind::parameter && is_floating_point(dtype())) stored_.requires_grad_();
  if (census_) census_->created.fetch_add(1, std::memory_order_relaxed);
}

SlotRef Slot::lazy(const Shape& pattern, Kind kind) {
  auto slot = std::make_shared<Slot>(empty({0}), kind);
  slot->pattern_ = pattern;
  slot->compute_ = no_value;
  return slot;
}

std::string Slot::shape_text() const {
  std::string text = to_string(is_lazy() ? pattern_ : shape());
  const std::string unknown = std::to_string(kLazy);
  for (size_t at; (at = text.find(unknown)) != std::string::npos;) {
    text.replace(at, unknown.size(), "?");
  }
  return text;
}

bool Slot::takes(const Shape& x) const {
  if (!is_lazy()) return x == shape();
  if (x.rank() != pattern_.rank()) return false;
  for (int i = 0; i < x.rank(); ++i) {
    if (pattern_[i] != kLazy && pattern_[i] != x[i]) return false;
  }
  return true;
}

void Slot::materialize(const Tensor& x) {
  check(is_lazy(), "materialize: the slot has a value of shape ", shape(),
        "; expected one whose size is not known yet");
  check<ShapeError>(takes(require_defined(x).shape()), "materialize: shape ", x.shape(),
                    "; expected ", shape_text());
  replace(x.to(dtype()));
}

Slot::~Slot() {
  if (census_) census_->destroyed.fetch_add(1, std::memory_order_relaxed);
}

void Slot::adopt(Tensor value) {
  const bool kept = trainable() && is_floating_point(value.dtype());
  stored_ = std::move(value);
  if (kept) stored_.requires_grad_();
}

void Slot::set_trainable(bool trainable) {
  check<AutogradError>(!trainable || kind_ == Kind::parameter, "set_trainable: the slot of shape ",
                       shape(), " is a buffer; expected a parameter");
  stored_.requires_grad_(trainable);
}

void Slot::write(const Tensor& x) const {
  check<ShapeError>(require_defined(x).shape() == shape(), "set_data: shape ", x.shape(),
                    "; expected the slot's shape ", shape());
  const NoGrad no_grad;
  copy_(stored_, x);
}

void Slot::replace(const Tensor& x) {
  const NoGrad no_grad;
  adopt(own(x));
  if (!is_lazy()) return;
  pattern_ = {};
  compute_ = nullptr;
}

void Slot::replace(const Slot& other) {
  replace(other.stored_);
  if (!other.is_lazy()) return;
  pattern_ = other.pattern_;
  compute_ = no_value;
}

void Slot::cast(DType dtype) {
  if (!is_floating_point(this->dtype()) || this->dtype() == dtype) return;
  const NoGrad no_grad;
  const Tensor gradient = grad();
  adopt(stored_.to(dtype));
  if (gradient.defined() && is_floating_point(dtype)) set_grad(gradient.to(dtype));
}

void Slot::assign_parametrization(const Slot& other) {
  if (other.parametrization_ == nullptr || parametrization_ == nullptr) {
    parametrization_ = other.parametrization_ ? other.parametrization_->clone() : nullptr;
  } else {
    parametrization_->assign(*other.parametrization_);
  }
}

Tensor Slot::computed_value() const {
  const Tensor original = compute_ != nullptr ? compute_(stored_) : stored_;
  return parametrization_ != nullptr ? parametrization_->value(original) : original;
}

Slot& SlotHandle::get() const {
  check(slot_ != nullptr, "Parameter: undefined; expected a parameter or buffer with a value");
  return *slot_;
}

SlotHandle::SlotHandle(const SlotHandle& other) {
  if (!other.defined()) return;
  const Slot& from = *other.slot_;
  const NoGrad no_grad;
  slot_ = std::make_shared<Slot>(from.stored().clone(), from.kind(), from.persistent());
  slot_->assign_parametrization(from);
  if (!from.is_buffer() && !from.trainable()) slot_->set_trainable(false);
  if (from.is_lazy()) slot_->replace(from);
}

SlotHandle& SlotHandle::operator=(const SlotHandle& other) {
  if (slot_ == other.slot_) return *this;
  if (slot_ && other.slot_) slot_->assign_parametrization(*other.slot_);
  if (!slot_ || !other.slot_) {
    slot_ = SlotHandle(other).slot_;
  } else if (!slot_->is_lazy() && !other.slot_->is_lazy() &&
             slot_->shape() == other.slot_->shape() && slot_->dtype() == other.slot_->dtype()) {
    slot_->write(other.slot_->stored());
  } else {
    slot_->replace(*other.slot_);
  }
  return *this;
}

// NOLINTNEXTLINE(performance-noexcept-move-constructor): see the declaration
SlotHandle& SlotHandle::operator=(SlotHandle&& other) {
  if (slot_ && other.slot_) return *this = other;
  slot_ = std::move(other.slot_);
  return *this;
}

SlotCensus::SlotCensus() : count_(std::make_shared<detail::CensusCount>()), outer_(current_census) {
  current_census = count_;
}

SlotCensus::~SlotCensus() { current_census = outer_; }

int64_t SlotCensus::created() const { return count_->created.load(std::memory_order_relaxed); }
int64_t SlotCensus::alive() const {
  return created() - count_->destroyed.load(std::memory_order_relaxed);
}

}  // namespace adjoint
