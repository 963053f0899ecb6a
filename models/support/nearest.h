// What somebody meant who wrote a name that does not exist.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace adjoint::models {

// The one of the names that is most like `name`, if any is near enough to be meant.
std::optional<std::string> nearest(std::string_view name, std::span<const std::string> names);

}  // namespace adjoint::models
