# What we use of cel-expr-python 0.1.3, which ships annotations without the marker for them.
from collections.abc import Mapping
from typing import ClassVar

from google.protobuf.descriptor_pool import DescriptorPool

class Type:
    BOOL: ClassVar[Type]
    DYN: ClassVar[Type]
    ERROR: ClassVar[Type]
    STRING: ClassVar[Type]
    def __init__(self, signature: str) -> None: ...
    @staticmethod
    def List(element_type: Type) -> Type: ...
    @staticmethod
    def Map(key_type: Type, value_type: Type) -> Type: ...

class Value:
    def value(self) -> object: ...

class Activation: ...

class Expression:
    def eval(self, activation: Activation | None = ...) -> Value: ...
    def return_type(self) -> Type: ...

class Env:
    def Activation(self, data: Mapping[str, object] | None = ...) -> Activation: ...
    def compile(self, expression: str) -> Expression: ...

def NewEnv(
    descriptor_pool: DescriptorPool | None = ...,
    *,
    variables: Mapping[str, Type] | None = ...,
) -> Env: ...
