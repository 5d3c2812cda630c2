// A call that is lent: names a callable without owning or copying it, so that nothing is allocated.
//
// Lifetime: as long as the callable; made for parameters, not to be kept. Thread: that of the caller.
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

namespace lapwing {

template <typename Signature>
class FunctionRef;

template <typename Result, typename... Arguments>
class FunctionRef<Result(Arguments...)> {
 public:
  template <typename Fn>
    requires(!std::same_as<std::remove_cvref_t<Fn>, FunctionRef> &&
             std::is_invocable_r_v<Result, Fn&, Arguments...>)
  FunctionRef(Fn&& fn)  // implicit, so that a lambda can be passed as it stands
      : callable_(const_cast<void*>(static_cast<const void*>(std::addressof(fn)))),
        call_([](void* callable, Arguments... arguments) -> Result {
          return (*static_cast<std::remove_reference_t<Fn>*>(callable))(
              std::forward<Arguments>(arguments)...);
        }) {}

  Result operator()(Arguments... arguments) const {
    return call_(callable_, std::forward<Arguments>(arguments)...);
  }

 private:
  void* callable_;
  Result (*call_)(void*, Arguments...);
};

}  // namespace lapwing
