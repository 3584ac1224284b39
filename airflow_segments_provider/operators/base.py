"""Base classes of all operators and sensors: rendering of templates, the hook, and the parameters of users."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, XComArg

from airflow_segments_provider.assets import declare, record_change, segment_asset
from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.links import VendorLink
from airflow_segments_provider.operators.rendering import Concealed, Rendering, is_result, reveal
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    import jinja2
    from airflow.providers.common.compat.sdk import Context


_ABSENT = object()


class SegmentsOperator(BaseOperator):
    """An operator that renders only what the DAG's author wrote, and text fields to text.

    Airflow itself also renders results of other tasks, wherever it does not recognise them: those in
    ``expand_kwargs()``, and all that were copied. A user who chooses their own ID could then read every connection.
    Here, data is never a template: not a result, not a parameter, not a variable.

    A template renders to text: ``2026``, ``007`` and ``1_000`` stay as they are. Only a template of one expression can
    render to something else: None; with ``render_template_as_native_obj=True``, a list, a
    dict or another collection; and in :attr:`value_fields` any object.

    Airflow sets a dependency for a result of another task in a field, a list or a dict. Here it may also be in an
    object with template fields, such as a source or a target.

    :cvar value_fields: the template fields that keep numbers, booleans and other objects.
    """

    value_fields: Sequence[str] = ()
    # See `VendorLink`: a task that fails early has no address to store.
    vendor_url: str | None = ""
    _is_rendered = False

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Begin a mapped task; see Airflow's documentation."""
        return Partial(cls, super().partial(**kwargs))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a deferral, in another process: only the XCom of the link has its address."""
        self.vendor_url = None
        return super().resume_execution(next_method, next_kwargs, context)

    def _set_xcomargs_dependencies(self) -> None:
        super()._set_xcomargs_dependencies()
        self._depend_on_nested_results()

    def set_xcomargs_dependencies(self) -> None:
        """Do the same on Airflow 2, where the method has this name."""
        super().set_xcomargs_dependencies()  # type: ignore[misc]
        self._depend_on_nested_results()

    def _depend_on_nested_results(self) -> None:
        depend_on_nested_results(self, [getattr(self, name) for name in self.template_fields])

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Context,
        jinja_env: jinja2.Environment,
        seen_oids: set[int],  # noqa: ARG002  # Airflow's way to recognise some results
    ) -> None:
        """Render the fields, as Airflow asks a task to do before it is executed."""
        if parent is not self or self._is_rendered:
            return  # a second time, what is in the fields is data
        self._is_rendered = True
        written = self._written_fields(context)
        env, native = self._text_environment(jinja_env), self._renders_natively()
        for name in template_fields:
            value = getattr(self, name)
            if name in written and callable(value):
                value = value(context=context, jinja_env=env)
            elif name in written:
                values = native and name in self.value_fields
                value = Rendering(self, context, env, native=native, values=values).render(value)
            # Set also what is not rendered: a field that conceals its value takes the second value as data.
            setattr(self, name, value)

    def _written_fields(self, context: Context) -> Collection[str]:
        """Return the fields whose value the DAG's author wrote; those of a mapped task may come from another task."""
        if not getattr(self, "_BaseOperator__from_mapped", False):
            return self.template_fields
        mapped: Any = self.dag.get_task(self.task_id)
        arguments = getattr(self, "_BaseOperator__init_kwargs")  # noqa: B009  # the name is Airflow's own
        # By identity, because `expand_kwargs(strict=False)` may put results in place of what is in `partial()`.
        written = {name for name, value in mapped.partial_kwargs.items() if arguments.get(name, _ABSENT) is value}
        return written | _written_of_mapped(mapped.expand_input.value, context["ti"].map_index or 0)

    def _text_environment(self, jinja_env: jinja2.Environment) -> jinja2.Environment:
        """Return an environment whose templates render to text."""
        from jinja2.nativetypes import NativeEnvironment

        if not isinstance(jinja_env, NativeEnvironment):
            return jinja_env
        return self.dag.get_template_env(force_sandboxed=True)

    def _renders_natively(self) -> bool:
        """Return whether templates render to objects; since Airflow 3.3 a task may differ from its DAG."""
        chosen = getattr(self, "render_template_as_native_obj", None)
        if chosen is None:
            chosen = self.has_dag() and self.dag.render_template_as_native_obj  # type: ignore[no-untyped-call]
        return bool(chosen)


class Partial:
    """The result of an operator's ``.partial()``, which conceals the arguments of a mapped task.

    Airflow stores these arguments when it parses the DAG, before there is an operator.

    :param partial: what Airflow returns.
    """

    def __init__(self, operator_class: type[SegmentsOperator], partial: Any) -> None:
        self._fields = {name: getattr(operator_class, name, None) for name in operator_class.template_fields}
        self._partial = partial
        partial.kwargs.update(self._concealed(partial.kwargs))

    def __repr__(self) -> str:
        return repr(self._partial)

    def expand(self, **mapped: Any) -> Any:
        """Map over values; see Airflow's documentation."""
        for name, values in mapped.items():
            if isinstance(values, Mapping) and hasattr(self._fields.get(name), "conceal"):
                values = list(values.items())  # as Airflow maps over a dict
            if isinstance(values, (list, tuple)):
                mapped[name] = [self._conceal(name, value) for value in values]
        return self._waiting(self._partial.expand(**mapped), mapped)

    def expand_kwargs(self, mapped: Any, *, strict: bool = True) -> Any:
        """Map over groups of arguments; see Airflow's documentation."""
        if isinstance(mapped, (list, tuple)):
            mapped = [self._concealed(group) if isinstance(group, Mapping) else group for group in mapped]
        return self._waiting(self._partial.expand_kwargs(mapped, strict=strict), mapped)

    def _concealed(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._conceal(name, value) for name, value in arguments.items()}

    def _conceal(self, name: str, value: Any) -> Any:
        field = self._fields.get(name)
        return field.conceal(value) if field is not None and hasattr(field, "conceal") else value

    def _waiting(self, task: Any, mapped: Any) -> Any:
        """Let a mapped task wait for the tasks whose results are within its arguments."""
        written = [value for name, value in task.partial_kwargs.items() if name in self._fields]
        depend_on_nested_results(task, [*written, mapped])
        return task


def depend_on_nested_results(task: Any, value: Any) -> None:
    """Make a task wait for the tasks whose results are in objects with template fields, at any depth."""
    for reference in _nested_results(value):
        for upstream, _ in XComArg.iter_xcom_references(reference):
            if upstream.task_id not in task.upstream_task_ids:
                task.set_upstream(upstream)


def _nested_results(value: Any) -> Iterable[Any]:
    if isinstance(value, Concealed):
        value = value.value
    if is_result(value):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _nested_results(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _nested_results(part)
    else:
        for name in getattr(value, "template_fields", ()):
            yield from _nested_results(getattr(value, name, None))


def _written_of_mapped(mapped: Any, map_index: int) -> set[str]:
    """Return the arguments that are written in ``expand()`` or ``expand_kwargs()``, not results of other tasks."""
    if isinstance(mapped, Mapping):
        return {name for name, values in mapped.items() if not is_result(values)}
    group = mapped[map_index] if isinstance(mapped, (list, tuple)) else None
    return set(group) if isinstance(group, Mapping) else set()


def skip_planned(result: Any) -> None:
    """Check that a sync is to be waited for.

    :param result: of the sync, also as the text of a template.
    :raises AirflowSkipException: it was only planned.
    """
    from airflow_segments_provider.vendors.base.template_text import from_text

    found = from_text(result)
    if isinstance(found, Mapping) and found.get("outcome") == "planned":
        raise AirflowSkipException("The sync was only planned and sent nothing, so there is nothing to wait for.")


class VendorOperator(SegmentsOperator):
    """An operator for one vendor, with one link that works while the task is running.

    :cvar hook_class: the hook of the vendor.
    :cvar asset: the scheme of the asset that a change of members is an event of, and the segment's ID in a result.
    """

    hook_class: ClassVar[type[VendorHook]]
    asset: ClassVar[tuple[str, str]] = ("", "")

    @cached_property
    def hook(self) -> Any:
        """The hook of the rendered connection ID."""
        return self.hook_class(getattr(self, self.hook_class.conn_name_attr))

    @property
    def parameters(self) -> dict[str, Any]:
        """The rendered parameters, by their names; those of the hook's method have the same."""
        # A subclass in a DAG file may have further template fields of its own, or fewer.
        ours: Any = next(cls for cls in type(self).__mro__ if cls.__module__.startswith("airflow_segments_provider."))
        names = [name for name in ours.template_fields if name != self.hook_class.conn_name_attr]
        return {name: reveal(getattr(self, name)) for name in names}

    def call_hook(self, context: Context, method: Callable[..., Any]) -> dict[str, Any]:
        """Call a method of the hook with the parameters, log the change, and return the task's result."""
        self.push_link(context)
        result = self.result_of(method(**self.parameters))
        if result.get("outcome") not in ("deleted", "missing"):
            self.push_link(context, result.get(self.asset[1]))
        return result

    def result_of(self, change: Any) -> dict[str, Any]:
        """Log a change, and return the task's result."""
        raise NotImplementedError

    def on_kill(self) -> None:
        """Finish the request that is under way, and send no further one."""
        if "hook" in self.__dict__:
            self.hook.stop()

    def push_link(self, context: Context, segment_id: object = None) -> None:
        """Store the address of the link.

        :param segment_id: once it is known.
        """
        before, self.vendor_url = self.vendor_url, self.hook.ui_url
        if segment_id:
            self.vendor_url = self.hook.segment_url(str(segment_id))
            if self.vendor_url == before:
                return
        for link in self.operator_extra_links:
            if isinstance(link, VendorLink):
                link.push(context, self.vendor_url)

    def log_left_out(self, *counts: dict[str, int]) -> None:
        """Log the numbers of users who were left out, by reason."""
        for reason, count in (item for counted in counts for item in counted.items()):
            self.log.warning("User IDs left out, %s: %s.", reason, f"{count:,}")


class UsersOperator(VendorOperator):
    """An operator that takes users.

    :param user_ids: the users: a list, an upstream result, a template that renders to a list, any iterable, or a
        source. Airflow's UI and database show their number.
    :param on_invalid: ``fail`` rejects all IDs if one is invalid; ``skip`` leaves those out and counts them.
    :param max_invalid_fraction: with ``on_invalid="skip"``, fail where a larger share of 100 user IDs or more is
        invalid; 0.2 by default. Where all are invalid, the task always fails.
    """

    user_fields: ClassVar[tuple[str, ...]] = ("user_ids", "on_invalid", "max_invalid_fraction")
    user_ids = UserIdsField()

    def __init__(
        self,
        *,
        user_ids: UserSource | str = (),
        on_invalid: str = "fail",
        max_invalid_fraction: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.user_ids = user_ids
        self.on_invalid = on_invalid
        self.max_invalid_fraction = max_invalid_fraction
        declare(self)

    def call_hook(self, context: Context, method: Callable[..., Any]) -> dict[str, Any]:
        """Call a method of the hook; a change of members is an event of the segment's asset."""
        result = super().call_hook(context, method)
        vendor, key = self.asset
        if key and result.get(key) and self.may_have_changed(result):
            asset = segment_asset(vendor, self.hook.client.base_url, "", str(result[key]).lower())
            counts = {
                name: sum(value.values()) if isinstance(value, dict) else value
                for name, value in result.items()
                if name.startswith("users_")
            }
            record_change(
                self,
                context,
                asset,
                outcome=result["outcome"],
                name=str(result.get("name") or ""),
                connection=self.hook.conn_id,
                counts=counts,
                digest=None,
                changed_at=result["changed_at"],
            )
        return result

    def may_have_changed(self, result: dict[str, Any]) -> bool:
        """Return whether the members may have changed: without users, also by a write, such as of branches."""
        return bool(result["users_sent"] or self.hook.client.writes_sent)


class FoundUsersOperator(UsersOperator):
    """An operator that may have to look its users up.

    :param identify_by: what ``user_ids`` are: ``id``, the vendor's own, or another identity that is looked up first.
    :param on_unmatched: ``fail`` rejects all users if one is not found; ``skip`` leaves those out and counts them.
    :param max_unmatched_fraction: with ``on_unmatched="skip"``, fail where a larger share of 100 users or more is not
        found; 0.2 by default. Where all are missing, the task always fails. With ``[segments] ledger_path``, a file
        beside the ledger lists those who are not found: see the log, or ``unmatched_file`` of the result.
    """

    user_fields: ClassVar[tuple[str, ...]] = (
        *UsersOperator.user_fields,
        "identify_by",
        "on_unmatched",
        "max_unmatched_fraction",
    )

    def __init__(
        self,
        *,
        identify_by: str = "id",
        on_unmatched: str = "fail",
        max_unmatched_fraction: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.identify_by = identify_by
        self.on_unmatched = on_unmatched
        self.max_unmatched_fraction = max_unmatched_fraction

    def call_hook(self, context: Context, method: Callable[..., Any]) -> dict[str, Any]:
        """Call a method of the hook; list users who are not found in a file of this try of the task."""
        from airflow_segments_provider.operators.user_list import UserListFile

        self.hook.unmatched_list = UserListFile(context["ti"], self.log)
        return super().call_hook(context, method)


class ExactMembersOperator(FoundUsersOperator):
    """An operator that may make the members exactly its users.

    :param allow_empty: let an empty list remove all members.
    :param max_removed_fraction: fail where a larger share of 100 members or more would be removed; 0.2 by default. Of
        fewer members, more than 10 and more than half (or than this share, if it is larger) are too many.
    """

    user_fields: ClassVar[tuple[str, ...]] = (*FoundUsersOperator.user_fields, "allow_empty", "max_removed_fraction")

    def __init__(
        self, *, allow_empty: bool | str = False, max_removed_fraction: float | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.allow_empty = allow_empty
        self.max_removed_fraction = max_removed_fraction

    def may_have_changed(self, result: dict[str, Any]) -> bool:
        """Return whether the members may have changed, by this try or by an earlier one.

        A try that makes the members exact may find them so and send nothing: an earlier try may have changed them, and
        failed before it could report that.
        """
        exact = getattr(self, "action", "set") == "set"
        return super().may_have_changed(result) or (exact and result["outcome"] == "updated")
