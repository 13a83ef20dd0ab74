// Validate builds Kustomize directories and checks what comes out against the types of the Kubernetes API: unknown fields,
// wrong types and unknown kinds are errors. It also checks what no schema says: that selectors find their pods, that ports
// have their names, that a ConfigMap that is reloaded keeps its name, and that a pod has time to drain.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// margin is what a pod needs beside its drain: the start of the signal, the last closes, the exit.
const margin = 5 * time.Second

// manifests is what a Kustomize directory leads to.
type manifests struct {
	deployments []*appsv1.Deployment
	services    []*corev1.Service
	configs     map[string]*corev1.ConfigMap
	selectors   map[string]labels.Selector
	errors      []string
}

func (m *manifests) fail(format string, arguments ...any) {
	m.errors = append(m.errors, fmt.Sprintf(format, arguments...))
}

// read decodes one document strictly.
func (m *manifests) read(kind string, text []byte) {
	object := map[string]metav1.Object{
		"apps/v1/Deployment":                 &appsv1.Deployment{},
		"v1/Service":                         &corev1.Service{},
		"v1/ConfigMap":                       &corev1.ConfigMap{},
		"v1/Namespace":                       &corev1.Namespace{},
		"v1/ServiceAccount":                  &corev1.ServiceAccount{},
		"policy/v1/PodDisruptionBudget":      &policyv1.PodDisruptionBudget{},
		"networking.k8s.io/v1/NetworkPolicy": &networkingv1.NetworkPolicy{},
	}[kind]
	if object == nil {
		m.fail("%s: a kind that this check does not know", kind)
		return
	}
	// As the API server decodes: names in another case are unknown, too.
	strict, err := json.UnmarshalStrict(text, object)
	for _, problem := range append(strict, err) {
		if problem != nil {
			m.fail("%s: %v", kind, problem)
		}
	}
	if err != nil {
		return
	}
	name := kind + " " + object.GetName()
	for _, problem := range validation.NameIsDNSLabel(object.GetName(), false) {
		m.fail("%s: %s", name, problem)
	}
	switch object := object.(type) {
	case *appsv1.Deployment:
		m.deployments = append(m.deployments, object)
		m.selector(name, object.Spec.Selector)
	case *corev1.Service:
		m.services = append(m.services, object)
		m.selectors[name] = labels.SelectorFromSet(object.Spec.Selector)
	case *corev1.ConfigMap:
		m.configs[object.Name] = object
	case *policyv1.PodDisruptionBudget:
		m.selector(name, object.Spec.Selector)
	case *networkingv1.NetworkPolicy:
		m.selector(name, &object.Spec.PodSelector)
	}
}

func (m *manifests) selector(name string, selector *metav1.LabelSelector) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		m.fail("%s: %v", name, err)
		return
	}
	m.selectors[name] = parsed
}

// check looks at what the documents say together.
func (m *manifests) check() {
	if len(m.deployments) != 1 {
		m.fail("%d Deployments, one is expected", len(m.deployments))
		return
	}
	deployment := m.deployments[0]
	pod := &deployment.Spec.Template
	for name, selector := range m.selectors {
		if selector.Empty() || !selector.Matches(labels.Set(pod.Labels)) {
			m.fail("%s: its selector %q does not find the pods", name, selector)
		}
	}
	ports := map[string]int32{}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			ports[port.Name] = port.ContainerPort
		}
		if container.Lifecycle != nil {
			m.fail("container %s has a lifecycle hook, which kproxy does not need", container.Name)
		}
		for _, mount := range container.VolumeMounts {
			if mount.SubPath != "" {
				m.fail("mount %s uses subPath: its files never change", mount.MountPath)
			}
		}
		for name, probe := range map[string]*corev1.Probe{
			"startup": container.StartupProbe, "liveness": container.LivenessProbe, "readiness": container.ReadinessProbe,
		} {
			if probe == nil || probe.HTTPGet == nil {
				m.fail("container %s has no %s probe", container.Name, name)
			} else {
				m.port(ports, name+" probe", probe.HTTPGet.Port)
			}
		}
	}
	for _, service := range m.services {
		for _, port := range service.Spec.Ports {
			m.port(ports, "service "+service.Name, port.TargetPort)
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.ConfigMap == nil {
			continue
		}
		config := m.configs[volume.ConfigMap.Name]
		if config == nil {
			m.fail("volume %s: there is no ConfigMap %s", volume.Name, volume.ConfigMap.Name)
			continue
		}
		m.grace(pod.Spec.TerminationGracePeriodSeconds, config.Data["proxy.yaml"])
	}
}

func (m *manifests) port(ports map[string]int32, what string, port intstr.IntOrString) {
	if _, known := ports[port.StrVal]; port.Type != intstr.String || !known {
		m.fail("%s: port %q is no port of the container", what, port.String())
	}
}

// grace checks that a pod is not killed while it drains.
func (m *manifests) grace(seconds *int64, text string) {
	var proxy struct {
		Network struct {
			Proxy struct{ ShutdownDelay, ShutdownTimeout string }
		}
	}
	if err := yaml.Unmarshal([]byte(text), &proxy); err != nil {
		m.fail("proxy.yaml: %v", err)
		return
	}
	delay, first := time.ParseDuration(proxy.Network.Proxy.ShutdownDelay)
	timeout, second := time.ParseDuration(proxy.Network.Proxy.ShutdownTimeout)
	if first != nil || second != nil {
		m.fail("proxy.yaml: shutdownDelay and shutdownTimeout are to be written out")
		return
	}
	if needed := delay + timeout + margin; seconds == nil || time.Duration(*seconds)*time.Second < needed {
		m.fail("terminationGracePeriodSeconds is less than shutdownDelay, shutdownTimeout and %v: %v", margin, needed)
	}
}

// validate builds one directory and returns what is wrong with it.
func validate(directory string) []string {
	m := &manifests{configs: map[string]*corev1.ConfigMap{}, selectors: map[string]labels.Selector{}}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), directory)
	if err != nil {
		return []string{err.Error()}
	}
	for _, resource := range resources.Resources() {
		text, err := resource.MarshalJSON()
		if err != nil {
			m.fail("%v", err)
			continue
		}
		m.read(strings.TrimPrefix(resource.GetApiVersion()+"/"+resource.GetKind(), "/"), text)
	}
	m.check()
	return m.errors
}

func main() {
	failed := false
	for _, directory := range os.Args[1:] {
		errors := validate(directory)
		for _, problem := range errors {
			fmt.Fprintf(os.Stderr, "%s: %s\n", directory, problem)
		}
		failed = failed || len(errors) > 0
		if len(errors) == 0 {
			fmt.Printf("%s: valid\n", directory)
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}
